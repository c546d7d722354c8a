"""Go's standard library as package archives, compiled once, so that a program costs one run of the compiler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.verifiers.compiled.toolchain_cache import kept_folder

INSTALL = "install it with `apt-get install golang-go`, or from https://go.dev/dl"
OLDEST = (1, 19)
ROOT_INSIDE = "/opt/go"
LIBRARY_INSIDE = "/opt/go-library"
ALL, IMPORTS, NAMES = "all", "importcfg", "names.json"
EXPORTED = "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}"
PRIVATE = {"internal", "vendor"}


class Go(NamedTuple):
    """A Go toolchain on this machine.

    Args:
        tools: the folder of compiler, linker and vet, as the sandbox sees it.
        root: the toolchain's folder on the host, when it is not part of the system.
        library: the folder of compiled packages on the host: `all` of them, and the list of those a program may import.
        packages: the packages that a program may import.
        version: what `go version` prints.
    """

    tools: str
    root: Path | None
    library: Path
    packages: tuple[str, ...]
    version: str

    @property
    def mounts(self) -> Mapping[str, Path]:
        """What the sandbox has to show."""
        shown = {LIBRARY_INSIDE: self.library}
        return shown if self.root is None else {**shown, ROOT_INSIDE: self.root}


class Installed(NamedTuple):
    """The toolchain behind `go`.

    Args:
        program: path of `go`.
        version: all that it says of itself.
        root: GOROOT.
        tools: the folder of compiler and linker.
    """

    program: str
    version: str
    root: str
    tools: str


def find_installed() -> Installed:
    """Find the toolchain behind `go`.

    Raises:
        EnvironmentFault: it is not installed, is too old, or does not work.
    """
    program = shutil.which("go")
    if program is None:
        raise EnvironmentFault(f"Go is not installed: {INSTALL}")
    version = _said(program, "version")
    root, tools, number = _said(program, "env", "GOROOT", "GOTOOLDIR", "GOVERSION").splitlines()
    digits = tuple(int(part) for part in number.removeprefix("go").split(".")[:2] if part.isdigit())
    if digits < OLDEST:
        raise EnvironmentFault(f"{program} is {number}, but 1.19 or newer is needed: {INSTALL}")
    return Installed(program, version, root, tools)


def find_go() -> Go:
    """Find the toolchain behind `go`, and compile its standard library unless an earlier run has.

    Raises:
        EnvironmentFault: as for `find_installed`.
    """
    program, version, root, tools = find_installed()
    library = kept_folder("go", json.dumps([version, root]), lambda folder: _compile_library(program, folder))
    packages = tuple(json.loads((library / NAMES).read_text()))
    place = Path(root).resolve()
    if place.is_relative_to("/usr"):
        return Go(str(Path(tools).resolve()), None, library, packages, version)
    inside = f"{ROOT_INSIDE}/{Path(tools).resolve().relative_to(place)}"
    return Go(inside, place, library, packages, version)


def _compile_library(program: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder.parent) as cache:
        listed = _said(program, "list", "-export", "-f", EXPORTED, "std", cache=cache)
        exports = dict(line.split("=", 1) for line in listed.splitlines() if line)
        for name, archive in exports.items():
            kept = folder / ALL / f"{name}.a"
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(archive, kept)
    public = [name for name in exports if not PRIVATE & set(name.split("/"))]
    # Paths are relative to the folder `all`, since the sandbox may show it anywhere.
    (folder / IMPORTS).write_text("".join(f"packagefile {name}={name}.a\n" for name in public))
    (folder / NAMES).write_text(json.dumps(sorted(public)))


def _said(*argv: str, cache: str = "off") -> str:
    """Return what a trusted command of the toolchain prints.

    Raises:
        EnvironmentFault: it fails.
    """
    environment = {
        "CGO_ENABLED": "0", "GO111MODULE": "off", "GOCACHE": cache, "GOENV": "off", "GOFLAGS": "", "GOPROXY": "off",
        "GOTOOLCHAIN": "local", "HOME": str(Path.home()), "PATH": os.environ.get("PATH", ""),
    }  # fmt: skip
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment)
    except (OSError, subprocess.CalledProcessError) as error:
        words = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else ""
        raise EnvironmentFault(f"`{' '.join(argv)}` fails: {words or error}: {INSTALL}") from error
    return done.stdout.strip()
