"""The warm Pythons of the Python verifiers, what each has loaded, and the jobs that run in them.

A judge and a completion never meet in one process, so they have images of their own.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from halo_forge.core.protocols import Image, Job, Limits
from halo_forge.verifiers.python import candidate, judge, link, remote, script, wire

MODULES = (
    "bisect", "collections", "copy", "functools", "heapq", "itertools",
    "json", "math", "operator", "re", "select", "string", "sys", "time", "typing",
)  # fmt: skip


def _image(name: str, *modules: ModuleType) -> Image:
    return Image(name, MODULES, tuple((module.__name__, Path(str(module.__file__)).read_text()) for module in modules))


JUDGE = _image("judge", wire, remote, link, judge)
CANDIDATE = _image("candidate", wire, candidate)
SCRIPT = _image("script", script)


def judge_job(payload: bytes, limits: Limits, *, inline: bool) -> Job:
    """Return the job of a judge.

    Args:
        payload: see `judge.serve`.
        limits: what it may use.
        inline: whether its tests leave nothing behind, so that the warm judge itself can run them.
    """
    return Job((judge.__name__,), limits, image=JUDGE, payload=payload, report=True, inline=inline)


def candidate_job(limits: Limits) -> Job:
    """Return the job of a completion's side."""
    argv = (candidate.__name__, f"{candidate.NAME}.py")
    return Job(argv, limits, image=CANDIDATE)


def script_job(source: bytes, limits: Limits, *, compile_only: bool = False) -> Job:
    """Return the job of a whole program."""
    argv = (script.__name__, "compile") if compile_only else (script.__name__,)
    return Job(argv, limits, image=SCRIPT, payload=source)
