"""Commands in real processes that need not import torch each time: one process has, and forks for each command.

What counts at import, such as which Hub there is, is given to the one process (`environment`), the rest to a command.

The child is its own process group, runs the same `halo_forge.cli.app.run` as the program does, and can be killed like
any other. It can also kill itself, by a real SIGKILL, at the moment it is about to do something: that hits moments too
short to be hit from outside.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

SERVER = """
import importlib, json, os, signal, sys
import torch, transformers, peft, halo_forge.generation.transformers, halo_forge.models.load, halo_forge.models.save
import halo_forge.training.trainer, halo_forge.raft.loop, halo_forge.sft.loop, halo_forge.benchmark.loop
from halo_forge.cli.app import run
for name in sys.argv[1:]:
    importlib.import_module(name)

def die_at(event, end, count):
    left = [count]
    def hook(name, args):
        if name == event and any(str(a).endswith(end) for a in args[:2]):
            if event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR):
                return
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

def child(order):
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    kind = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    out, log = (os.open(order[name], kind) for name in ("out", "log"))
    for target, source in ((0, null), (1, out), (2, log)):
        os.dup2(source, target)
    os.chdir(order["cwd"])
    os.environ.update(order["variables"])
    if order["moment"]:
        die_at(*order["moment"])
    code = run(order["args"])
    sys.stdout.flush()
    os._exit(code)

print("ready", flush=True)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            child(json.loads(line))
        finally:
            os._exit(99)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


class Moment(NamedTuple):
    """The `count`th time that the process is about to do `event` (an audit event) with a path that ends so."""

    event: str
    end: str
    count: int = 1


class Told(NamedTuple):
    """How a command ended, and what it wrote to the standard output and to the standard error."""

    code: int
    out: str
    err: str


class Warm:
    """One command at a time."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self.log = log
        self._out = log.with_suffix(".out")

    def start(self, args: list[str], moment: Moment | None = None, cwd: Path | None = None, **variables: str) -> int:
        """Start a command and return its process id."""
        places = {"log": str(self.log), "out": str(self._out), "cwd": str(cwd or Path.cwd())}
        order = {"args": args, "moment": moment, "variables": variables, **places}
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def console(self, file: Path) -> None:
        """Have the commands to come write all that they say into one file."""
        self.log = self._out = file

    def is_over(self) -> bool:
        """Whether the command has ended, and `wait` would return at once."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def wait(self) -> int:
        """Wait for the command; gives its exit code, or minus the signal that ended it."""
        assert self._process.stdout is not None
        return os.waitstatus_to_exitcode(int(self._process.stdout.readline()))

    def run(self, args: list[str], moment: Moment | None = None) -> int:
        """Start and wait."""
        self.start(args, moment)
        return self.wait()

    def tell(self, *args: str, cwd: Path, **variables: str) -> Told:
        """Run a command in a folder, with variables of its own, and give what it said."""
        self.start([*args], None, cwd, **variables)
        return Told(self.wait(), self._out.read_text(), self.log.read_text())

    def dies(self, args: list[str], moment: Moment) -> None:
        """Run until the moment, at which the process must have been killed."""
        code = self.run(args, moment)
        assert code == -signal.SIGKILL, (moment, code, self.log.read_text()[-2000:])

    def ends_well(self, args: list[str]) -> None:
        """Run to the end."""
        code = self.run(args)
        assert code == 0, self.log.read_text()[-2000:]


@contextmanager
def warm_process(folder: Path, *modules: str, environment: Mapping[str, str] | None = None) -> Iterator[Warm]:
    """Have a process that has imported everything that models of text need, and some modules beside.

    Args:
        environment: what it has instead of our own.
    """
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, *modules],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Warm(process, folder / "command.log")
        assert process.stdin is not None
        process.stdin.close()
