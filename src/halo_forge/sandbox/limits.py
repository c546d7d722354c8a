"""Limits as the kernel takes them: soft and hard values by kind, none above what we may set ourselves."""

from __future__ import annotations

import math
import resource

from halo_forge.core.protocols import Limits

MEGABYTE = 1 << 20


def lasting_limits(limits: Limits) -> dict[str, tuple[int, int]]:
    """Return those that a launcher can keep for all of its jobs."""
    return {
        "memory": _values(resource.RLIMIT_AS, limits.memory_mb * MEGABYTE),
        "core": _values(resource.RLIMIT_CORE, 0),
        "file": _values(resource.RLIMIT_FSIZE, limits.disk_mb * MEGABYTE),
        "open_files": _values(resource.RLIMIT_NOFILE, limits.open_files),
    }


def passing_limits(limits: Limits) -> dict[str, tuple[int, int]]:
    """Return those that begin anew with each job: its processor time, and processes, which depend on its user's."""
    seconds = math.ceil(limits.cpu_s)
    soft, hard = _values(resource.RLIMIT_CPU, seconds)
    grace = int(soft == seconds and resource.getrlimit(resource.RLIMIT_CPU)[1] != seconds)
    return {"cpu": (soft, hard + grace), "processes": _values(resource.RLIMIT_NPROC, limits.processes)}


def _values(kind: int, value: int) -> tuple[int, int]:
    hard = resource.getrlimit(kind)[1]
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    return allowed, allowed
