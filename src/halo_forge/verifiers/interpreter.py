"""The Python that runs completions and judges: this process's own if the sandbox can show it, else the system's."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Job, Limits, Sandbox

SYSTEM_PYTHON = "/usr/bin/python3"
NEUTRAL = "/opt/python"
FLAGS = ("-s", "-S", "-B", "-X", "utf8")
ASK_VERSION = "import sys; print('.'.join(map(str, sys.version_info[:3]))); assert sys.version_info >= (3, 10)"


class Interpreter(NamedTuple):
    """A Python inside the sandbox: its standard library, and no packages.

    Args:
        program: its path inside.
        version: such as `3.11.7`.
        mounts: its folder, when it is not part of the system.
        hidden: its folders of installed packages.
        env: the environment it needs.
    """

    program: str
    version: str
    mounts: Mapping[str, Path]
    hidden: tuple[str, ...]
    env: Mapping[str, str]

    def job(self, script: str, files: Mapping[str, bytes], limits: Limits, *, report: bool = False) -> Job:
        """Return the job that runs one of the files as a script."""
        argv = (self.program, *FLAGS, f"/job/{script}")
        return Job(argv, limits, files=files, mounts=self.mounts, hidden=self.hidden, env=self.env, report=report)


def find_interpreter(sandbox: Sandbox) -> Interpreter:
    """Return the first interpreter that starts in the sandbox.

    Raises:
        EnvironmentFault: none does.
    """
    reasons = []
    for interpreter in _candidates():
        job = interpreter.job("", {}, Limits())._replace(argv=(interpreter.program, *FLAGS, "-c", ASK_VERSION))
        try:
            outcome = sandbox.run(job)
        except EnvironmentFault as fault:
            reasons.append(str(fault))
            continue
        if outcome.exit_status == 0:
            return interpreter._replace(version=outcome.stdout.decode().strip())
        words = outcome.stderr.decode(errors="replace").strip().splitlines()
        reasons.append(f"{interpreter.program}: {words[-1] if words else outcome.exit_status}")
    raise EnvironmentFault(
        f"no Python starts in the sandbox ({'; '.join(reasons)}): install one with `apt-get install python3`"
    )


def _candidates() -> Iterator[Interpreter]:
    prefix = Path(sys.base_prefix)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    env = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    inside = str(prefix) if prefix.is_relative_to("/usr") else NEUTRAL
    if (prefix / "bin" / f"python{version}").exists():
        mounts = {} if inside != NEUTRAL else {NEUTRAL: prefix}
        packages = Path(sysconfig.get_path("purelib", vars={"base": str(prefix), "platbase": str(prefix)}))
        hidden = (str(inside / packages.relative_to(prefix)),) if packages.is_dir() else ()
        libraries = {"LD_LIBRARY_PATH": f"{inside}/lib"} if mounts else {}
        yield Interpreter(f"{inside}/bin/python{version}", "", mounts, hidden, {**env, **libraries})
    yield Interpreter(SYSTEM_PYTHON, "", {}, (), env)
