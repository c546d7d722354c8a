"""What this machine offers, found without loading a machine-learning library."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import NamedTuple

import psutil
from pydantic import ValidationError

from halo_forge import __version__
from halo_forge.core.errors import HaloError
from halo_forge.core.plugins import VERIFIERS, VerifierConfig
from halo_forge.core.protocols import Sandbox

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "datasets",
    "accelerate",
    "bitsandbytes",
    "pydantic",
    "numpy",
)
TOOLS = (
    "g++",
    "gcc",
    "clang++",
    "clang",
    "x86_64-w64-mingw32-g++",
    "mold",
    "rustc",
    "cargo",
    "go",
    "python3",
    "bwrap",
    "ssh",
)
VERSION_ARGUMENT = {"go": "version", "ssh": "-V"}
AMD = "0x1002"
GIB = 1 << 30
PROBE_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Accelerator:
    """A device that models can run on, beside the processor."""

    name: str
    memory_gib: float | None
    driver: str | None


@dataclass(frozen=True)
class VerifierState:
    """A verifier that is installed.

    Args:
        problem: why it cannot work here, if it cannot.
        needs: the options that it cannot do without; whether it works depends on them.
    """

    name: str
    description: str
    problem: str | None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """Everything that `halo-forge info` shows; a tool or package that is absent is None."""

    halo_forge: str
    python: str
    system: str
    cpu: str
    cores: int
    memory_gib: float
    memory_free_gib: float
    disk_free_gib: float
    accelerators: tuple[Accelerator, ...]
    packages: dict[str, str | None]
    tools: dict[str, str | None]
    sandbox: str | None
    sandbox_problem: str | None
    verifiers: tuple[VerifierState, ...]


class Verification(NamedTuple):
    """The sandbox in force or why there is none, and the verifiers."""

    sandbox: str | None
    problem: str | None
    verifiers: tuple[VerifierState, ...]


def inspect_machine() -> Machine:
    """Look at hardware, versions, compilers, the sandbox and the verifiers."""
    memory = psutil.virtual_memory()
    sandbox, problem, verifiers = _inspect_verification()
    return Machine(
        halo_forge=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} ({platform.machine()})",
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gib=round(memory.total / GIB, 1),
        memory_free_gib=round(memory.available / GIB, 1),
        disk_free_gib=round(shutil.disk_usage(Path.cwd()).free / GIB, 1),
        accelerators=(*nvidia_devices(), *_amd_devices()),
        packages={name: _version(name) for name in PACKAGES},
        tools={name: _tool_version(name) for name in TOOLS},
        sandbox=sandbox,
        sandbox_problem=problem,
        verifiers=verifiers,
    )


def nvidia_devices() -> tuple[Accelerator, ...]:
    """Ask nvidia-smi; without it, or where it fails, there are none."""
    answer = _ask("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")
    devices = []
    for row in (answer or "").splitlines():
        name, memory_mib, driver = (part.strip() for part in row.rsplit(",", 2))
        # Parts with memory shared with the processor answer "[N/A]".
        memory = round(int(memory_mib) / 1024, 1) if memory_mib.isdigit() else None
        devices.append(Accelerator(name, memory, f"NVIDIA {driver}"))
    return tuple(devices)


def _amd_devices() -> tuple[Accelerator, ...]:
    devices = []
    for vendor in sorted(Path("/sys/class/drm").glob("card*/device/vendor")):
        memory = vendor.with_name("mem_info_vram_total")
        if vendor.read_text().strip() == AMD and memory.is_file():
            name = vendor.with_name("product_name")
            devices.append(
                Accelerator(
                    (name.read_text().strip() if name.is_file() else "") or "AMD GPU",
                    round(int(memory.read_text()) / GIB, 1),
                    "amdgpu",
                )
            )
    return tuple(devices)


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _tool_version(name: str) -> str | None:
    answer = _ask(name, VERSION_ARGUMENT.get(name, "--version"), stderr=subprocess.STDOUT)
    return answer.splitlines()[0] if answer else None


def _ask(program: str, *args: str, stderr: int = subprocess.DEVNULL) -> str | None:
    path = shutil.which(program)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, *args], stdout=subprocess.PIPE, stderr=stderr, text=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _inspect_verification() -> Verification:
    from halo_forge.sandbox import open_sandbox

    entries = sorted(entry_points(group=VERIFIERS), key=lambda entry: entry.name)
    try:
        with open_sandbox("auto") as sandbox:
            return Verification(sandbox.tier, None, tuple(_verifier(entry, sandbox) for entry in entries))
    except HaloError as error:
        return Verification(None, str(error), tuple(_verifier(entry, None) for entry in entries))


def _verifier(entry: EntryPoint, sandbox: Sandbox | None) -> VerifierState:
    try:
        schema: type[VerifierConfig] = entry.load()
    except (ImportError, AttributeError) as error:
        return VerifierState(entry.name, "", f"cannot be loaded: {error}")
    description = (schema.__doc__ or "").strip().partition("\n")[0]
    needs = tuple(name for name, field in schema.model_fields.items() if field.is_required())
    if needs:
        return VerifierState(entry.name, description, None, needs)
    problem = "needs a sandbox" if sandbox is None else _problem(schema, sandbox)
    return VerifierState(entry.name, description, problem)


def _problem(schema: type[VerifierConfig], sandbox: Sandbox) -> str | None:
    try:
        schema().check(sandbox)
    except ValidationError as error:
        return f"does not accept its own defaults: {error.errors()[0]['msg']}"
    except HaloError as error:
        return str(error)
    return None
