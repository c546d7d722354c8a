"""Building the crates that programs may use: once, offline, in the sandbox, from a folder of vendored sources."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Job, Limits, Outcome, Sandbox
from halo_forge.verifiers.compiled.toolchain_cache import kept_folder
from halo_forge.verifiers.rust.compiler import BFD, Crates
from halo_forge.verifiers.rust.config import CRATE
from halo_forge.verifiers.rust.rustc import INSIDE, Rustc

INSTALL = "install it with `apt-get install cargo`, or from https://rustup.rs"
VENDOR_INSIDE = "/opt/vendor"
PACKAGE = "halo_forge_crates"
SCRIPT = r"""set -e
mkdir -p /work/build/.cargo /work/build/src
cp /job/Cargo.toml /work/build/Cargo.toml
printf '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "%s"\n' "$VENDOR" \
    >/work/build/.cargo/config.toml
: > /work/build/src/lib.rs
cd /work/build
"$@" >&2
cd target/debug/deps
tar -cf - --exclude="lib$PACKAGE*" *.rlib *.so >&3 2>/dev/null || tar -cf - --exclude="lib$PACKAGE*" *.rlib >&3
"""
EXTERN = re.compile(r"--extern[ =](?:\w+:)?(\w+)=\S*/(lib[\w-]+)\.(rmeta|rlib|so)")
EXTERNS = "externs.json"
DISK_MB, MEMORY_MB, PROCESSES = 4096, 8192, 256
ARCHIVE_BYTES, MESSAGE_BYTES = 1 << 30, 16 << 20


def build_crates(rustc: Rustc, crates: Sequence[str], vendor: Path, sandbox: Sandbox, seconds: float) -> Crates:
    """Return the crates, built unless an earlier run has left them.

    Args:
        rustc: the toolchain.
        crates: as the option names them.
        vendor: the folder of sources.
        sandbox: where cargo, the compiler and the crates' build scripts run.
        seconds: processor seconds of one process; twice as long on the clock for all.

    Raises:
        EnvironmentFault: cargo is missing, or a crate is not in the folder or does not build.
    """
    if not crates:
        return Crates()
    if not vendor.is_dir():
        raise EnvironmentFault(
            f"the folder of vendored crates {vendor} does not exist: name one with the option `vendor`, "
            "or install Debian's packages librust-…-dev"
        )
    cargo = rustc.sysroot / "bin" / "cargo"
    found = (
        f"{INSIDE}/bin/cargo" if rustc.run_mounts and cargo.exists() else shutil.which("cargo", path="/usr/bin:/bin")
    )
    if found is None:
        raise EnvironmentFault(f"crates need cargo, which is not installed: {INSTALL}")
    sources = sorted(f"{place.parent.name} {place.stat().st_size}" for place in vendor.glob("*/.cargo-checksum.json"))
    key = json.dumps([rustc.version, found, sorted(crates), str(vendor), sources])

    def make(folder: Path) -> None:
        outcome = sandbox.run(_job(rustc, found, crates, vendor, seconds))
        if outcome.exit_status != 0:
            raise EnvironmentFault(f"the crates {', '.join(crates)} cannot be built from {vendor}: {_reason(outcome)}")
        with tarfile.open(fileobj=io.BytesIO(outcome.report)) as archive:
            archive.extractall(folder, filter="data")
        (folder / EXTERNS).write_text(json.dumps(_externs(outcome.stderr.decode(errors="replace"))))

    folder = kept_folder("crates", key, make)
    return Crates(folder, json.loads((folder / EXTERNS).read_text()))


def _job(rustc: Rustc, cargo: str, crates: Sequence[str], vendor: Path, seconds: float) -> Job:
    limits = Limits(
        cpu_s=seconds, wall_s=2 * seconds, memory_mb=MEMORY_MB, processes=PROCESSES, open_files=1024, disk_mb=DISK_MB,
        output_bytes=MESSAGE_BYTES, report_bytes=ARCHIVE_BYTES,
    )  # fmt: skip
    environment = {
        **rustc.env, "CARGO_HOME": "/work/cargo", "HOME": "/work", "PACKAGE": PACKAGE,
        "PATH": f"{Path(cargo).parent}:/usr/bin:/bin", "RUSTC": rustc.program, "VENDOR": VENDOR_INSIDE,
        "RUSTFLAGS": " ".join((f"--sysroot={rustc.place}", *BFD)),
    }  # fmt: skip
    argv = ("/bin/sh", "-c", SCRIPT, "sh", cargo, "build", "--offline", "-v")
    files = {"Cargo.toml": _manifest(crates).encode()}
    mounts = {**rustc.mounts, VENDOR_INSIDE: vendor.resolve()}
    return Job(argv, limits, files=files, mounts=mounts, env=environment, report=True)


def _manifest(crates: Sequence[str]) -> str:
    lines = []
    for crate in crates:
        parts = CRATE.fullmatch(crate)
        if parts is None:
            raise ValueError(f"'{crate}' is not NAME, NAME@VERSION or NAME:FEATURE+FEATURE")
        features = json.dumps((parts["features"] or "").split("+") if parts["features"] else [])
        lines.append(f'{parts["name"]} = {{ version = "{parts["version"] or "*"}", features = {features} }}')
    package = f'[package]\nname = "{PACKAGE}"\nversion = "0.0.0"\nedition = "2018"\n'
    return package + "[profile.dev]\ndebug = false\n[dependencies]\n" + "\n".join(lines) + "\n"


def _externs(messages: str) -> dict[str, str]:
    """Return name and file of each crate from the command line that cargo shows for the package using them."""
    (command,) = [line for line in messages.splitlines() if f"--crate-name {PACKAGE} " in line and "--extern" in line]
    return {name: f"{file}.{'so' if kind == 'so' else 'rlib'}" for name, file, kind in EXTERN.findall(command)}


def _reason(outcome: Outcome) -> str:
    """Return cargo's first error with its causes."""
    lines = [line.strip() for line in outcome.stderr.decode(errors="replace").splitlines() if line.strip()]
    start = next((number for number, line in enumerate(lines) if line.startswith("error")), max(len(lines) - 1, 0))
    said = " ".join(lines[start : start + 4]) if lines else f"exit status {outcome.exit_status}"
    return f"timed out; {said}" if outcome.timed_out else said
