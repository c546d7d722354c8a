"""What the machine and one run take of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import psutil
from pydantic import JsonValue

from halo_forge.runs.lock import read_holder

GPU_PACE_S = 3.0
GPU_TIMEOUT_S = 5.0
GPU_FIELDS = "name,utilization.gpu,memory.used,memory.total"


class _Gpus(NamedTuple):
    asked: float
    found: list[JsonValue]


_lock = Lock()
_gpus = _Gpus(float("-inf"), [])


def read_meters(folder: Path) -> dict[str, JsonValue]:
    """Processor (per cent since the last question), memory and disk (bytes), accelerators."""
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(folder if folder.is_dir() else Path.cwd())
    return {
        "cpu_percent": psutil.cpu_percent(),
        "cores": psutil.cpu_count(),
        "memory_used": memory.total - memory.available,
        "memory_total": memory.total,
        "disk_free": disk.free,
        "disk_total": disk.total,
        "gpus": _accelerators(),
    }


def read_run_meters(folder: Path) -> dict[str, JsonValue]:
    """Memory (bytes) and processes of a run that is going on, and what accelerators do; nothing of one that is not."""
    holder = read_holder(folder)
    if holder is None or not holder.process.is_local:
        return {}
    try:
        process = psutil.Process(holder.process.pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return {}
    total, cpu = 0, 0.0
    for one in family:
        try:
            total += one.memory_info().rss
            times = one.cpu_times()
        except psutil.Error:
            continue
        cpu += times.user + times.system
    return {
        "memory": total,
        "processes": len(family),
        "cpu_s": round(cpu, 2),
        "gpus": _accelerators(),
        "t": time.time(),
    }


def visible_accelerators() -> tuple[str, ...]:
    """The devices that a run started from here would see, as CUDA names them."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is not None:
        return tuple(name for part in said.split(",") if (name := part.strip()) and name != "-1")
    return tuple(str(number) for number in range(len(_accelerators())))


def _accelerators() -> list[JsonValue]:
    """Ask nvidia-smi, not more often than every few seconds."""
    global _gpus
    with _lock:
        if time.monotonic() - _gpus.asked > GPU_PACE_S:
            _gpus = _Gpus(time.monotonic(), _ask())
        return _gpus.found


def _ask() -> list[JsonValue]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        done = subprocess.run(
            [program, f"--query-gpu={GPU_FIELDS}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=GPU_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    found: list[JsonValue] = []
    for line in done.stdout.splitlines():
        name, *figures = (part.strip() for part in line.rsplit(",", 3))
        busy, used, total = (int(figure) if figure.isdigit() else None for figure in figures)
        found.append({"name": name, "percent": busy, "memory_used": _bytes(used), "memory_total": _bytes(total)})
    return found


def _bytes(mebibytes: int | None) -> int | None:
    return None if mebibytes is None else mebibytes << 20
