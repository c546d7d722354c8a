"""A PowerShell on another machine, reached through the system's ssh and kept open for many requests.

What goes over the line is a fixed remote command, then lines of PowerShell whose only variable part is base64; answers
are lines that begin with a token of this session. ssh asks nothing, forwards nothing and reads no configuration file.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from halo_forge.core.errors import EnvironmentFault

REMOTE_COMMAND = "powershell -NoLogo -NoProfile -NonInteractive -Command -"
REPLY_BYTES = 1 << 20
KEPT_STDERR_BYTES = 4096
END_PATIENCE_S = 5.0


class Host(NamedTuple):
    """A machine and how to log in to it.

    Args:
        address: its name or address.
        user: whose account.
        port: of its SSH server.
        key: private key without a passphrase; None takes the user's agent and usual keys.
        known_hosts: file with its host key; None takes the user's and the system's.
        host_key: `known` refuses a host whose key is not known, `accept-new` notes it at the first visit.
        connect_timeout_s: seconds on the clock to reach it.
    """

    address: str
    user: str
    port: int
    key: Path | None
    known_hosts: Path | None
    host_key: str
    connect_timeout_s: float

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.user}@{self.address}:{self.port}"


class SessionEnded(EnvironmentFault):
    """The connection is gone; another one may do."""


class ShellSession:
    """One connection with one PowerShell; for one thread at a time.

    Args:
        host: where.
        script: PowerShell source whose functions the requests call.

    Raises:
        EnvironmentFault: there is no ssh client, or it cannot be started.
    """

    def __init__(self, host: Host, script: bytes) -> None:
        self.token = secrets.token_hex(16)
        self._host = host
        self._unread = b""
        self._said = b""
        try:
            self._process = subprocess.Popen(
                client_command(host), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=_environment(host), start_new_session=True, bufsize=0,
            )  # fmt: skip
        except OSError as error:
            raise EnvironmentFault(f"ssh cannot be started: {error.strerror}") from error
        self._stdin, self._stdout, self._stderr = (
            _unblocked(stream) for stream in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        encoded = base64.b64encode(script).decode()
        source = f"[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('{encoded}'))"
        self._unsent = f". ([ScriptBlock]::Create({source}))\n".encode()

    def call(self, function: str, request: Mapping[str, object], timeout_s: float) -> dict[str, Any]:
        """Call a function of the script and return its reply.

        Args:
            function: its name.
            request: its argument.
            timeout_s: seconds on the clock to wait.

        Raises:
            SessionEnded: the connection failed or ended.
            EnvironmentFault: there was no proper answer in time; the session is of no use any more.
        """
        argument = base64.b64encode(json.dumps(request).encode()).decode()
        self._unsent += f"{function} '{argument}'\n".encode()
        line = self._reply(time.monotonic() + timeout_s, timeout_s)
        try:
            reply = json.loads(base64.b64decode(line, validate=True))
        except ValueError as error:
            raise EnvironmentFault(f"{self._host.label} gives an answer that cannot be read: {line[:80]!r}") from error
        if not isinstance(reply, dict):
            raise EnvironmentFault(f"{self._host.label} gives an answer that cannot be read: {reply!r:.80}")
        return reply

    def close(self) -> None:
        """End the connection; the far side sees its input end."""
        for stream in (self._stdin, self._stdout, self._stderr):
            stream.close()
        try:
            self._process.wait(timeout=END_PATIENCE_S / 10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=END_PATIENCE_S)

    def _reply(self, deadline: float, timeout_s: float) -> bytes:
        """Send what is to be sent and read up to the next line with our token."""
        mark = self.token.encode() + b" "
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            selector.register(self._stderr, selectors.EVENT_READ)
            if self._unsent:
                selector.register(self._stdin, selectors.EVENT_WRITE)
            while True:
                line, newline, rest = self._unread.partition(b"\n")
                if newline:
                    self._unread = rest
                    if line.startswith(mark):
                        return line.removeprefix(mark).strip()
                    continue
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise EnvironmentFault(f"{self._host.label} did not answer within {timeout_s:.0f} s")
                for key, _ in selector.select(left_s):
                    self._serve(selector, key.fileobj)

    def _serve(self, selector: selectors.BaseSelector, stream: object) -> None:
        if stream is self._stdin:
            try:
                self._unsent = self._unsent[os.write(self._stdin.fileno(), self._unsent) :]
            except BrokenPipeError:
                self._unsent = b""
            if not self._unsent:
                selector.unregister(self._stdin)
        elif stream is self._stderr:
            said = os.read(self._stderr.fileno(), KEPT_STDERR_BYTES)
            self._said = (self._said + said)[-KEPT_STDERR_BYTES:]
            if not said:
                selector.unregister(self._stderr)
        else:
            got = os.read(self._stdout.fileno(), 65_536)
            self._unread += got
            if not got:
                raise SessionEnded(self._ending())
            if len(self._unread) > REPLY_BYTES:
                raise EnvironmentFault(f"{self._host.label} sends too long an answer")

    def _ending(self) -> str:
        """Say why the connection ended."""
        try:
            status = self._process.wait(timeout=END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return f"the connection to {self._host.label} ended"
        with contextlib.suppress(BlockingIOError):
            while said := os.read(self._stderr.fileno(), KEPT_STDERR_BYTES):
                self._said = (self._said + said)[-KEPT_STDERR_BYTES:]
        return explain(self._host, status, self._said.decode(errors="replace"))


def client_command(host: Host) -> list[str]:
    """Return the ssh command.

    Raises:
        EnvironmentFault: there is no ssh client.
    """
    program = shutil.which("ssh")
    if program is None:
        raise EnvironmentFault("ssh is not installed: install it with `apt-get install openssh-client`")
    options = {
        "BatchMode": "yes",
        "PreferredAuthentications": "publickey",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "StrictHostKeyChecking": "yes" if host.host_key == "known" else "accept-new",
        "UpdateHostKeys": "no",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "ControlPath": "none",
        "LogLevel": "ERROR",
        "ConnectTimeout": str(max(1, round(host.connect_timeout_s))),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
    }
    if host.key is not None:
        options |= {"IdentitiesOnly": "yes", "IdentityAgent": "none", "IdentityFile": _quoted(host.key)}
    if host.known_hosts is not None:
        options |= {"UserKnownHostsFile": _quoted(host.known_hosts), "GlobalKnownHostsFile": "/dev/null"}
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return [
        program, "-F", "/dev/null", "-T", *words, "-p", str(host.port), "-l", host.user, "--", host.address,
        REMOTE_COMMAND,
    ]  # fmt: skip


def explain(host: Host, status: int, said: str) -> str:
    """Turn the end of ssh into what the user can do about it."""
    last = said.strip().splitlines()[-1].strip() if said.strip() else f"ssh ended with status {status}"
    known = host.known_hosts or "~/.ssh/known_hosts"
    causes = {
        "REMOTE HOST IDENTIFICATION HAS CHANGED": (
            f"the host key of {host.label} is not the one in {known}: somebody may stand between; if the machine was "
            f"set up anew, remove its old key with `ssh-keygen -R '[{host.address}]:{host.port}' -f {known}`"
        ),
        "Host key verification failed": (
            f"the host key of {host.label} is not known: compare its fingerprint on the host, then add it with "
            f"`ssh-keyscan -p {host.port} {host.address} >> {known}`"
        ),
        "UNPROTECTED PRIVATE KEY": f"others can read the key {host.key}: run `chmod 600 {host.key}`",
        "Permission denied": (
            f"{host.label} does not accept the key {host.key or 'of the agent'}: use one without a passphrase, and put "
            "its public half into the account's authorized_keys (for administrators of Windows: "
            "C:\\ProgramData\\ssh\\administrators_authorized_keys)"
        ),
    }
    for mark, cause in causes.items():
        if mark in said:
            return cause
    if status == 255:
        return f"{host.label} cannot be reached: {last}: check the options host and port, and that its SSH server runs"
    if "not recognized" in said or "not found" in said:
        return f"{host.label} has no PowerShell on its PATH: {last}"
    return f"the connection to {host.label} ended: {last}"


def _environment(host: Host) -> dict[str, str]:
    names = ("HOME", "PATH", "SSH_AUTH_SOCK") if host.key is None else ("HOME", "PATH")
    return {"LC_ALL": "C", **{name: os.environ[name] for name in names if name in os.environ}}


def _quoted(path: Path) -> str:
    """Write a path so that ssh takes neither spaces nor `%` and `$` in it for its own."""
    return '"' + str(path.expanduser().resolve()).replace("%", "%%") + '"'


def _unblocked(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    os.set_blocking(stream.fileno(), False)
    return stream
