"""The Python inside the sandbox: this process's own where the sandbox can show it, else the system's."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from halo_forge.core.protocols import Python

SYSTEM_PYTHON = "/usr/bin/python3"
NEUTRAL = "/opt/python"
FLAGS = ("-s", "-S", "-B", "-X", "utf8")
ENVIRONMENT = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
ASK_VERSION = "import sys; print('.'.join(map(str, sys.version_info[:3]))); assert sys.version_info >= (3, 10)"


def candidates() -> Iterator[Python]:
    """Return the interpreters to try, best first."""
    prefix = Path(sys.base_prefix)
    name = f"bin/python{sys.version_info.major}.{sys.version_info.minor}"
    if (prefix / name).exists():
        version = ".".join(map(str, sys.version_info[:3]))
        system = prefix.is_relative_to("/usr")
        inside = str(prefix) if system else NEUTRAL
        packages = Path(sysconfig.get_path("purelib", vars={"base": str(prefix), "platbase": str(prefix)}))
        hidden = (f"{inside}/{packages.relative_to(prefix)}",) if packages.is_dir() else ()
        mounts = {} if system else {NEUTRAL: prefix}
        libraries = {} if system else {"LD_LIBRARY_PATH": f"{inside}/lib"}
        yield Python(f"{inside}/{name}", version, mounts, hidden, ENVIRONMENT | libraries)
    asked = subprocess.run([SYSTEM_PYTHON, "-S", "-c", ASK_VERSION], capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        yield Python(SYSTEM_PYTHON, asked.stdout.strip(), {}, (), ENVIRONMENT)
