"""What a hostile program would try, tried for real in the sandbox in force.

Whether a misdeed was stopped is read off the host wherever it would leave a trace there (a connection, a file, a
process), and else off the program's own words, which it has no reason to lie about here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.protocols import Job, Limits, Outcome, Sandbox

SECRET = "halo-forge-secret-3f1c"
DONE = b"done"
LIMITS = Limits(wall_s=10, cpu_s=5, memory_mb=256, processes=20, disk_mb=16, output_bytes=65_536)

CONNECT = "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)"
READ = "print(open('{folder}/secret').read(), flush=True)"
WRITE = "open('{folder}/open/new', 'w').write('x')"
FORK = """
import os, time
made = 0
try:
    while made < 100:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
except OSError:
    os._exit(1)
os.write(1, b'done')
os._exit(0)
"""
MEMORY = "x = bytearray(512 << 20)\nprint('done', flush=True)"
ONE_FILE = """
import os
with open('big', 'wb', 0) as file:
    for _ in range(64):
        file.write(bytes(1 << 20))
print('done', flush=True)
"""
MANY_FILES = """
import os, time
for number in range(64):
    with open(str(number), 'wb', 0) as file:
        file.write(bytes(1 << 20))
    time.sleep(0.01)
print('done', flush=True)
"""
FLOOD = """
import os
for _ in range(1000):
    os.write(1, bytes(1 << 16))
"""
DAEMON = """
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(10):
            try:
                os.close(number)
            except OSError:
                pass
        os.execv('/bin/sleep', ['sleep', '{nap}'])
    os._exit(0)
os.wait()
"""
SIGNAL = "import os\nos.kill({victim}, 9)"
ENVIRON = """
import os
for name in os.listdir('/proc'):
    try:
        with open('/proc/%s/environ' % name, 'rb') as file:
            if b'{secret}' in file.read():
                print('done', flush=True)
    except OSError:
        pass
"""


class Finding(NamedTuple):
    """One misdeed.

    Args:
        misdeed: what was tried.
        stopped: whether it failed.
        how: how the program that tried it ended.
    """

    misdeed: str
    stopped: bool
    how: str


@dataclass(frozen=True)
class Scene:
    """What the misdeeds are aimed at.

    Args:
        folder: a folder that every user may read, with a secret in it and a folder `open` that every user may write to.
        listener: a socket that waits for connections on the loopback address.
        victim: a process of this user whose environment holds a secret.
        nap: an argument of `sleep` that no other process has.
    """

    folder: Path
    listener: socket.socket
    victim: subprocess.Popen[bytes]
    nap: str

    def filled(self, script: str) -> str:
        """Return a script with the names of this scene."""
        port = self.listener.getsockname()[1]
        names = {"port": port, "folder": self.folder, "victim": self.victim.pid, "nap": self.nap, "secret": SECRET}
        for name, value in names.items():
            script = script.replace(f"{{{name}}}", str(value))
        return script

    def called(self) -> bool:
        """Tell whether somebody connected."""
        with contextlib.suppress(BlockingIOError):
            self.listener.accept()[0].close()
            return True
        return False

    def sleeping(self) -> bool:
        """Tell whether the daemon is still there."""
        wanted = f"sleep\0{self.nap}\0".encode()
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if entry.read_bytes() == wanted:
                    return True
        return False


MISDEEDS: tuple[tuple[str, str, Callable[[Scene, Outcome], bool]], ...] = (
    ("connect to the network", CONNECT, lambda scene, _: not scene.called()),
    ("read a file of the host", READ, lambda _, outcome: SECRET.encode() not in outcome.stdout),
    ("write to the host", WRITE, lambda scene, _: not (scene.folder / "open" / "new").exists()),
    ("start 100 processes", FORK, lambda _, outcome: DONE not in outcome.stdout),
    ("take 512 MB of memory", MEMORY, lambda _, outcome: DONE not in outcome.stdout),
    ("fill the disk by one file", ONE_FILE, lambda _, outcome: DONE not in outcome.stdout),
    ("fill the disk by many files", MANY_FILES, lambda _, outcome: DONE not in outcome.stdout),
    ("flood the output", FLOOD, lambda _, outcome: outcome.flooded and len(outcome.stdout) <= LIMITS.output_bytes),
    ("leave a daemon", DAEMON, lambda scene, _: not scene.sleeping()),
    ("read an outsider's environment", ENVIRON, lambda _, outcome: DONE not in outcome.stdout),
    ("kill an outsider", SIGNAL, lambda scene, _: scene.victim.poll() is None),
)


def check_sandbox(sandbox: Sandbox) -> Iterator[Finding]:
    """Try every misdeed.

    Raises:
        EnvironmentFault: the sandbox itself failed.
    """
    with _scene() as scene:
        for misdeed, script, stopped in MISDEEDS:
            python = sandbox.python
            argv = (python.program, "-s", "-S", "-B", "/job/misdeed.py")
            files = {"misdeed.py": scene.filled(script).encode()}
            outcome = sandbox.run(Job(argv, LIMITS, files=files, env=python.env))
            yield Finding(misdeed, stopped(scene, outcome), _ending(outcome))


@contextlib.contextmanager
def _scene() -> Iterator[Scene]:
    folder = Path(tempfile.mkdtemp(prefix="halo-forge-check-"))
    nap = f"86400.{os.getpid()}"
    victim = subprocess.Popen(["/bin/sleep", "86399"], env={"SECRET": SECRET})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        try:
            listener.setblocking(False)
            folder.chmod(0o755)
            (folder / "secret").write_text(SECRET)
            (folder / "secret").chmod(0o644)
            (folder / "open").mkdir()
            (folder / "open").chmod(0o777)
            yield Scene(folder, listener, victim, nap)
        finally:
            victim.kill()
            victim.wait()
            shutil.rmtree(folder)


def _ending(outcome: Outcome) -> str:
    if outcome.flooded:
        return "killed for too much output"
    if outcome.timed_out:
        return "killed at its time limit"
    lines = outcome.stderr.decode(errors="replace").strip().splitlines()
    if lines:
        return lines[-1][:100]
    return f"exit status {outcome.exit_status}" if outcome.exit_status >= 0 else f"signal {-outcome.exit_status}"
