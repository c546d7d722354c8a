"""The harness's end of the verifier's process: starting it, talking with it, ending it with everything below it."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from halo_forge.core.errors import EnvironmentFault, HaloError
from halo_forge.rollout.keeper import START
from halo_forge.rollout.wire import Order, Ready, Refusal, Result, Unframer, framed

RECEIVE_BYTES = 1 << 18
KEPT_WORDS_BYTES = 8_192
END_PATIENCE_S = 10.0
ERRORS = {kind.__name__: kind for kind in HaloError.__subclasses__()}


class HostProcess:
    """A verifier's process that is ready for submissions.

    It runs in a session of its own, so that an interrupt from the terminal reaches the harness alone.

    Args:
        order: what it is to build.
        patience_s: seconds that building may take.

    Raises:
        HaloError: what building the verifier raised there, as itself.
        EnvironmentFault: the process ended, or was not ready in time.
    """

    def __init__(self, order: Order, patience_s: float) -> None:
        self._words = bytearray()
        self._speaks = True
        self._unframer = Unframer()
        self._outgoing = bytearray()
        self.connection, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", "-c", START, str(theirs.fileno()), *map(os.fspath, sys.path)]
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    pass_fds=[theirs.fileno()], start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                self.connection.close()
                raise EnvironmentFault(f"no process for verifier '{order.verifier}' can be started: {error}") from error
        assert self._process.stdout is not None
        self._speech = self._process.stdout
        os.set_blocking(self._speech.fileno(), False)
        self.connection.setblocking(False)
        try:
            self.send([framed(order)])
            self.ready = self._await_ready(order, patience_s)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """Process id of its keeper."""
        return self._process.pid

    def send(self, messages: Sequence[bytes]) -> None:
        """Send messages; what does not fit into the connection now goes with `wait`."""
        for message in messages:
            self._outgoing += message
        with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            del self._outgoing[: self.connection.send(self._outgoing)]

    def wait(self, timeout_s: float, wake: int | None = None) -> None:
        """Return when something has come in, when `wake` is readable, or after the time; meanwhile go on sending."""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
        if self._speaks:
            poll.register(self._speech, select.POLLIN)
        if wake is not None:
            poll.register(wake, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(max(timeout_s, 0.0) * 1000)}
        if self._outgoing:
            self.send([])
        if self._speech.fileno() in ready:
            self._listen()

    def results(self) -> Iterator[Result]:
        """Yield the verdicts that have come in.

        Raises:
            EOFError: the process has ended, or no longer makes sense; what it said before is yielded first.
        """
        for message in self._messages():
            yield Result.model_validate_json(message)

    def last_words(self) -> str:
        """Say how the process ended, once it has, and the last line that it wrote."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=END_PATIENCE_S)
        self._listen()
        lines = self._words.decode(errors="replace").strip().splitlines()
        code = self._process.poll()
        if code is None:
            how = "it hangs"
        else:
            how = f"signal {code - 128}" if code > 128 else f"signal {-code}" if code < 0 else f"exit status {code}"
        return f"{how}: {lines[-1].strip()[:300]}" if lines else how

    def kill(self) -> None:
        """End the process and everything below it now."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)  # closing would not do: a forked child may hold a copy
        self.connection.close()
        try:
            self._process.wait(timeout=END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._speech.close()

    def close(self) -> None:
        """Let the process close its verifier and its sandbox, and end it."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=END_PATIENCE_S)
        self.kill()

    def _await_ready(self, order: Order, patience_s: float) -> Ready:
        deadline = time.monotonic() + patience_s
        while (left_s := deadline - time.monotonic()) > 0:
            self.wait(left_s)
            try:
                message = next(self._messages(), None)
            except EOFError as error:
                raise EnvironmentFault(
                    f"the process of verifier '{order.verifier}' ended before it was ready: {self.last_words()}"
                ) from error
            if message is not None:
                return _ready(order, message)
        raise EnvironmentFault(
            f"verifier '{order.verifier}' was not ready after {patience_s:g} s; "
            "if it needs longer, raise --stall-timeout-s"
        )

    def _messages(self) -> Iterator[bytes]:
        while True:
            try:
                data = self.connection.recv(RECEIVE_BYTES)
            except BlockingIOError:
                return
            except ConnectionResetError as error:
                raise EOFError from error
            if not data:
                raise EOFError
            yield from self._unframer.feed(data)

    def _listen(self) -> None:
        with suppress(BlockingIOError):
            while data := os.read(self._speech.fileno(), KEPT_WORDS_BYTES):
                self._words += data
                del self._words[:-KEPT_WORDS_BYTES]
            self._speaks = False


def _ready(order: Order, message: bytes) -> Ready:
    try:
        return Ready.model_validate_json(message)
    except ValueError:
        refusal = Refusal.model_validate_json(message)
    kind = ERRORS.get(refusal.error)
    if kind is not None:
        raise kind(refusal.text)
    raise EnvironmentFault(f"verifier '{order.verifier}' cannot be built: {refusal.text}")
