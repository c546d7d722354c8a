"""Finding the Rust toolchain of this machine, and what of it the sandbox has to show."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.verifiers.compiled.toolchain_cache import kept_folder

INSTALL = "install it with `apt-get install rustc gcc`, or from https://rustup.rs"
INSIDE = "/opt/rust"
RELEASE = re.compile(r"rustc 1\.(\d+)\.")
# From this release on rustc asks the dynamic linker, not `/proc`, where it is.
FINDS_ITSELF = 67


class Rustc(NamedTuple):
    """A Rust toolchain on this machine.

    Args:
        program: rustc, as the sandbox sees it.
        sysroot: its folder on the host.
        libraries: the folder of its shared standard library, as the sandbox sees it.
        version: what `rustc -vV` prints.
        process: a folder that stands in for `/proc`, for a compiler that finds no libraries without one.
    """

    program: str
    sysroot: Path
    libraries: str
    version: str
    process: Path | None = None

    @property
    def place(self) -> str:
        """The toolchain's folder, as the sandbox sees it; there is no `/proc` by which it could find itself."""
        return INSIDE if self.run_mounts else str(self.sysroot)

    @property
    def env(self) -> Mapping[str, str]:
        """What the toolchain's programs need to find their libraries."""
        return {"LC_ALL": "C", "LD_LIBRARY_PATH": f"{self.place}/lib", "TMPDIR": "/work"}

    @property
    def run_mounts(self) -> Mapping[str, Path]:
        """The toolchain's folder, when it is not part of the system: what a program needs to run."""
        return {INSIDE: self.sysroot} if self.program.startswith(INSIDE) else {}

    @property
    def mounts(self) -> Mapping[str, Path]:
        """What the compiler needs to run."""
        return {**self.run_mounts, **({"/proc": self.process} if self.process else {})}


def find_rustc() -> Rustc:
    """Find the toolchain behind `rustc`, which may be a rustup proxy.

    Raises:
        EnvironmentFault: it is not installed, or says no version.
    """
    found = shutil.which("rustc")
    if found is None:
        raise EnvironmentFault(f"the compiler rustc is not installed: {INSTALL}")
    sysroot = Path(_said(found, "--print", "sysroot")).resolve()
    libraries = Path(_said(found, "--print", "target-libdir")).resolve()
    version = _said(found, "-vV")
    if sysroot.is_relative_to("/usr"):
        rustc = Rustc(str(Path(found).resolve()), sysroot, str(libraries), version)
    else:
        place = f"{INSIDE}/{libraries.relative_to(sysroot)}"
        rustc = Rustc(f"{INSIDE}/bin/rustc", sysroot, place, version)
    release = RELEASE.match(version)
    if release and int(release[1]) < FINDS_ITSELF:
        return rustc._replace(process=kept_folder("rustc", rustc.program, lambda folder: _link(folder, rustc.program)))
    return rustc


def _link(folder: Path, program: str) -> None:
    (folder / "self").mkdir()
    (folder / "self" / "exe").symlink_to(program)


def _said(*argv: str) -> str:
    """Return what a trusted command prints.

    Raises:
        EnvironmentFault: it fails.
    """
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EnvironmentFault(f"`{' '.join(argv)}` fails: {error}: {INSTALL}") from error
    return done.stdout.strip()
