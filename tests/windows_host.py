"""A build host for tests: a real OpenSSH server on loopback whose `powershell` and `cl.exe` are stand-ins.

The stand-in PowerShell accepts only the lines that a session may send, checks that the script is the one in the
package, and does what its functions do; the stand-in compiler asks g++ and answers in the form of Microsoft's. `mode`
holds the word of a mishap that the next requests shall meet, `log` a line for each request.
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from halo_forge.verifiers.msvc.compiler import SCRIPT

ARGUMENTS = ["-NoLogo", "-NoProfile", "-NonInteractive", "-Command", "-"]
BANNER = "Microsoft (R) C/C++ Optimizing Compiler Version 19.40.33811 for x64"

POWERSHELL = r"""
import base64, hashlib, json, os, re, shutil, signal, subprocess, sys, time, uuid
from pathlib import Path

HOME = Path(HOME_FOLDER)
LINE = re.compile(r"(Start-HaloSession|Invoke-HaloCheck) '([A-Za-z0-9+/=]*)'")
LOAD = re.compile(
    r"\. \(\[ScriptBlock\]::Create\(\[Text\.Encoding\]::UTF8\.GetString"
    r"\(\[Convert\]::FromBase64String\('([A-Za-z0-9+/=]+)'\)\)\)\)"
)
token = ""


def send(reply):
    text = base64.b64encode(json.dumps(reply).encode()).decode()
    print(f"{token} {text}", flush=True)


def run(folder, command, timeout_s):
    started = time.monotonic()
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            command.split(), cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        status, late = process.wait(timeout_s), False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        status, late = process.wait() * 0 - 1, True
    said = base64.b64encode((folder / "output.txt").read_bytes()[:65536]).decode()
    return {"exit_status": status, "timed_out": late, "wall_s": time.monotonic() - started, "output": said}


def serve(function, request, mode):
    global token
    token = request.get("token", token)
    if mode in ("no-cl", "no-vcvars"):
        return {"fault": mode}
    if mode == "disk-full":
        return {"fault": "There is not enough space on the disk."}
    folder = HOME / "temp" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        if function == "Start-HaloSession":
            return run(folder, "cl.exe", 60)
        source = base64.b64decode(request["source"], validate=True)
        (folder / request["file"]).write_bytes(source)
        with (HOME / "log").open("a") as log:
            log.write(json.dumps([os.getpid(), hashlib.sha256(source).hexdigest(), request["command"]]) + "\n")
        return run(folder, request["command"], request["timeout_ms"] / 1000)
    finally:
        shutil.rmtree(folder)


def mishap(mode):
    if mode == "die-once":
        (HOME / "mode").write_text("")
    if mode in ("die", "die-once"):
        sys.exit(7)
    if mode == "hang":
        time.sleep(60)
    if mode == "garbage":
        print(f"{token} this is not base64", flush=True)
    if mode == "bare":
        send({"exit_status": 0})
    if mode == "flood":
        print("x" * (2 << 20), flush=True)
    if mode == "forged":
        print("0123456789abcdef eyJmYXVsdCI6ICJmb3JnZWQifQ==", flush=True)
    return mode in ("hang", "garbage", "bare", "flood")


def main():
    assert sys.argv[1:] == ARGUMENT_LIST, sys.argv
    first = LOAD.fullmatch(sys.stdin.readline().rstrip("\n"))
    assert first and base64.b64decode(first[1]) == Path(SCRIPT_FILE).read_bytes()
    for line in sys.stdin:
        found = LINE.fullmatch(line.rstrip("\n"))
        assert found, line
        mode = (HOME / "mode").read_text()
        if found[1] == "Start-HaloSession" or not mishap(mode):
            send(serve(found[1], json.loads(base64.b64decode(found[2], validate=True)), mode))


main()
"""

COMPILER = r"""
import re, subprocess, sys
from pathlib import Path

words = sys.argv[1:]
if not words:
    sys.exit(print(BANNER_TEXT, file=sys.stderr))
if (Path(HOME_FOLDER) / "mode").read_text() == "broken-cl":
    sys.exit("cl.exe : fatal error D8050: cannot execute c1xx.dll")
file = words[-1]
standard = next(word for word in words if word.startswith("/std:")).removeprefix("/std:").replace("latest", "23")
program = "gcc" if "/TC" in words else "g++"
action = ["-o", "program.exe"] if "/Fe:program.exe" in words else ["-fsyntax-only"]
done = subprocess.run(
    [program, f"-std={standard}", "-Wall", "-Wextra", *action, file], capture_output=True, text=True, errors="replace"
)
print(file)
for line in done.stderr.splitlines():
    found = re.match(r"(\S+?):(\d+):(\d+): (fatal error|error|warning): (.*)", line)
    if found:
        name, row, column, kind, text = found.groups()
        print(f"{name}({row},{column}): {kind} {'C4101' if kind == 'warning' else 'C2065'}: {text}")
    elif "undefined reference" in line:
        print("program.obj : error LNK2019: unresolved external symbol")
    elif "note: '#pragma message" in line or "#pragma message" in line:
        print(line.partition("#pragma message: ")[2].rstrip("'"))
sys.exit(2 if done.returncode else 0)
"""


class WindowsHost(NamedTuple):
    """Where the host is, and its folder."""

    folder: Path
    port: int

    @property
    def options(self) -> dict[str, Any]:
        """Options of the verifier that log in."""
        return {
            "host": "127.0.0.1",
            "user": getpass.getuser(),
            "port": self.port,
            "ssh_key": str(self.folder / "key"),
            "known_hosts": str(self.folder / "known_hosts"),
            "compile_timeout_s": 10,
        }

    def meet(self, mishap: str) -> None:
        """Let the next requests meet a mishap; `""` ends it."""
        (self.folder / "mode").write_text(mishap)

    def log(self) -> list[list[Any]]:
        """Return session, hash of the source and command of each compilation."""
        path = self.folder / "log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def leftovers(self) -> list[Path]:
        """Return what compilations have left behind."""
        return list((self.folder / "temp").iterdir())

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server.

        Raises:
            AssertionError: it does not start; the text says why.
        """
        server = shutil.which("sshd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        assert server, "these tests need OpenSSH's server: install it with `apt-get install openssh-server`"
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it confines itself; a service would have made it
        log = self.folder / "sshd.log"
        with log.open("ab") as stderr:
            process = subprocess.Popen(
                [server, "-D", "-e", "-f", self.folder / "sshd_config"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
            )  # fmt: skip
        for _ in range(200):
            assert process.poll() is None, log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return process
            time.sleep(0.05)
        raise AssertionError(log.read_text())


@contextmanager
def windows_host(folder: Path) -> Iterator[WindowsHost]:
    """Set up and run a host in an empty folder."""
    host = set_up(folder)
    process = host.start()
    try:
        yield host
    finally:
        stop(process)


def set_up(folder: Path) -> WindowsHost:
    """Lay out a host in an empty folder, its server not running yet."""
    host = WindowsHost(folder, free_port())
    for name in ("key", "host_key"):
        make_key(folder / name)
    (folder / "authorized_keys").write_text((folder / "key.pub").read_text())
    write_known_hosts(host, folder / "known_hosts", folder / "host_key.pub")
    host.meet("")
    (folder / "temp").mkdir()
    values = {
        "HOME_FOLDER": str(folder),
        "SCRIPT_FILE": str(SCRIPT),
        "ARGUMENT_LIST": ARGUMENTS,
        "BANNER_TEXT": BANNER,
    }
    for name, source in (("powershell", POWERSHELL), ("cl.exe", COMPILER)):
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        for word, value in values.items():
            source = source.replace(word, repr(value))
        program.write_text(f"#!{sys.executable} -IS\n{source}")
        program.chmod(0o755)
    (folder / "sshd_config").write_text(
        f"Port {host.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\nUsePAM no\n"
        f"StrictModes no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        f"KbdInteractiveAuthentication no\nAuthorizedKeysFile {folder}/authorized_keys\n"
        f"SetEnv PATH={folder}/bin:/usr/bin:/bin\n"
    )
    return host


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and its sessions."""
    server = psutil.Process(process.pid)
    for started in (server, *server.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            started.kill()
    process.wait()


def make_key(path: Path) -> None:
    """Make a key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True, capture_output=True)


def write_known_hosts(host: WindowsHost, path: Path, public_key: Path) -> None:
    """Note a key as the host's."""
    path.write_text(f"[127.0.0.1]:{host.port} {public_key.read_text()}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
