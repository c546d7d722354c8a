"""The verifier's process: builds the verifier in its sandbox, then answers submissions with verdicts as they are ready.

The verifier, which may be anybody's plugin, neither holds the lock of the interpreter that trains nor can it take the
harness with it. Submissions are taken up strictly in the order they came, one a worker: that is how the harness knows
which of them were in work when this process hangs or dies.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing

from halo_forge.core.errors import HaloError
from halo_forge.core.plugins import verifier_config
from halo_forge.core.protocols import Foreseeing, Sandbox, Submission, Verifier
from halo_forge.core.types import Stage, Verdict
from halo_forge.rollout.wire import Order, Ready, Refusal, Result, Task, Unframer, framed
from halo_forge.sandbox import open_sandbox

LOGGER = logging.getLogger(__name__)
RECEIVE_BYTES = 1 << 20


def serve(connection: socket.socket) -> None:
    """Obey the harness until it has no more submissions."""
    received = _received(connection)
    first = next(received, None)
    if first is None:
        return
    order = Order.model_validate_json(first[0])
    with ExitStack() as opened:
        try:
            sandbox, verifier = _build(order, opened)
        except HaloError as error:
            connection.sendall(framed(Refusal(error=type(error).__name__, text=str(error))))
            return
        except Exception as error:  # noqa: BLE001  a plugin may raise anything; the harness says what it was
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {error} ({where.filename}, line {where.lineno})"
            connection.sendall(framed(Refusal(error="", text=text)))
            return
        connection.sendall(framed(Ready(name=verifier.name, version=verifier.version, tier=sandbox.tier)))
        _Bench(verifier, order.workers, connection).work(received)


def judge(verifier: Verifier, submission: Submission) -> Verdict:
    """Judge one submission: the fault boundary, behind which a broken verifier is never a reward of 0."""
    try:
        verdicts: object = verifier.verify([submission])
    except BaseException as error:  # noqa: BLE001  SystemExit included: a plugin must not end its worker
        return _fault(f"verifier {verifier.name} failed: {type(error).__name__}: {error}")
    match verdicts:
        case [Verdict() as verdict]:
            return verdict
    return _fault(f"verifier {verifier.name} returned no list of one verdict for one submission")


def _answer(verifier: Verifier, task: Task) -> bytes:
    try:
        return framed(Result(number=task.number, verdict=judge(verifier, task.submission)))
    except ValueError as error:  # half of a surrogate pair in a text is not JSON
        fault = _fault(f"verifier {verifier.name} gave a verdict that cannot be written: {str(error)!a}")
        return framed(Result(number=task.number, verdict=fault))


def _build(order: Order, opened: ExitStack) -> tuple[Sandbox, Verifier]:
    config = verifier_config(order.verifier, dict(order.options))
    sandbox = opened.enter_context(closing(open_sandbox(order.sandbox)))
    return sandbox, opened.enter_context(closing(config.build(sandbox, order.workers)))


def _fault(text: str) -> Verdict:
    return Verdict(reward=None, passed=False, stage=Stage.PARSE, fault=text)


def _received(connection: socket.socket) -> Iterator[list[bytes]]:
    """Yield the messages as they come, those that came together in one list."""
    unframer = Unframer()
    while data := connection.recv(RECEIVE_BYTES):
        messages = list(unframer.feed(data))
        if messages:
            yield messages


class _Bench:
    """The workers and their queue."""

    def __init__(self, verifier: Verifier, workers: int, connection: socket.socket) -> None:
        self._verifier = verifier
        self._connection = connection
        self._sending = threading.Lock()
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._workers = [threading.Thread(target=self._run, daemon=True) for _ in range(workers)]

    def work(self, received: Iterator[Sequence[bytes]]) -> None:
        """Judge what comes in, up to the end of the stream."""
        for worker in self._workers:
            worker.start()
        for messages in received:
            tasks = [Task.model_validate_json(message) for message in messages]
            self._prepare(tasks)
            for task in tasks:
                self._tasks.put(task)
        for _ in self._workers:
            self._tasks.put(None)
        for worker in self._workers:
            worker.join()

    def _prepare(self, tasks: Sequence[Task]) -> None:
        if isinstance(self._verifier, Foreseeing):
            try:
                self._verifier.prepare([task.submission for task in tasks])
            except Exception:
                LOGGER.exception("verifier %s could not prepare; its verdicts may take longer", self._verifier.name)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            result = _answer(self._verifier, task)
            try:
                with self._sending:
                    self._connection.sendall(result)
            except OSError:
                os._exit(1)  # the harness is gone, and so is whoever wanted the verdicts
