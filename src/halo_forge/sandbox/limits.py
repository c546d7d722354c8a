"""Limits as the kernel takes them: (kind, soft, hard), none above what we may set ourselves."""

from __future__ import annotations

import math
import resource
from functools import lru_cache

from halo_forge.core.protocols import Limits

MEGABYTE = 1 << 20

LASTING = 4  # how many of them last

KernelLimit = tuple[int, int, int]


@lru_cache
def lasting_limits(limits: Limits) -> tuple[KernelLimit, ...]:
    """Return those that a launcher can keep for all of its jobs."""
    return (
        _limit(resource.RLIMIT_AS, limits.memory_mb * MEGABYTE),
        _limit(resource.RLIMIT_CORE, 0),
        _limit(resource.RLIMIT_FSIZE, limits.disk_mb * MEGABYTE),
        _limit(resource.RLIMIT_NOFILE, limits.open_files),
    )


@lru_cache
def passing_limits(limits: Limits) -> tuple[KernelLimit, ...]:
    """Return those that begin anew with each job: its processor time, and processes, which depend on its user's."""
    seconds = math.ceil(limits.cpu_s)
    kind, soft, hard = _limit(resource.RLIMIT_CPU, seconds)
    grace = int(soft == seconds and resource.getrlimit(kind)[1] != seconds)
    return (kind, soft, hard + grace), _limit(resource.RLIMIT_NPROC, limits.processes)


def _limit(kind: int, value: int) -> KernelLimit:
    hard = resource.getrlimit(kind)[1]
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    return kind, allowed, allowed
