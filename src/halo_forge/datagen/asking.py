"""Asking for what is missing: many requests at once, patient with servers that are busy, never beyond the budget."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple

from halo_forge.config.generate import GenerateConfig
from halo_forge.core.errors import ConfigError, EnvironmentFault, HaloError
from halo_forge.core.events import EventLog, EventType
from halo_forge.core.stop import StopRequest
from halo_forge.datagen.backend import Backend, RequestFailed
from halo_forge.datagen.budget import Budget
from halo_forge.datagen.ledger import Answer, Asked, Failed, Ledger
from halo_forge.datagen.plan import Request
from halo_forge.datagen.reply import Reply
from halo_forge.datagen.rows import Judge

PHASE = "ask"
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
# A server that wants to be left alone for longer is come back to by the user.
LONGEST_REST_S = 600.0
# How often one item is put off by a busy server before that counts as a failure.
MOST_RESTS = 100
GLANCE_S = 0.1
TELL_PACE_S = 0.2
# Items in a row that stay without an answer, after which the server is given up.
MOST_LEFT_OUT_IN_A_ROW = 5


class Asking(NamedTuple):
    """What asking needs.

    Args:
        word: puts an item into words.
        judge: begins to judge each answer once it is on disk; None where answers are taken unjudged.
    """

    config: GenerateConfig
    backend: Backend
    ledger: Ledger
    budget: Budget
    word: Callable[[int], Request]
    judge: Judge | None
    events: EventLog
    stop: StopRequest


class Course(NamedTuple):
    """How the asking went.

    Args:
        by_budget: whether it ended because no further request could be afforded.
        left_out: items that stayed without an answer, by reason.
    """

    by_budget: bool
    left_out: dict[str, int]


def ask_all(asking: Asking, items: Iterable[int]) -> Course:
    """Ask for items, in their order.

    Raises:
        ConfigError: the server refuses the key, the model or the address.
        EnvironmentFault: it fails too often, has no credit left, or wants to be left alone for long.
        Interrupted: a stop was asked for; what was under way is stored.
    """
    return asyncio.run(_Crew(asking, items).work())


class _Crew:
    """Workers that take the items one by one."""

    def __init__(self, asking: Asking, items: Iterable[int]) -> None:
        self._asking = asking
        self._items = iter(items)
        self._ended = asyncio.Event()
        self._rest_until = 0.0
        self._under_way = 0
        self._left_out: Counter[str] = Counter()
        self._in_a_row = 0
        self._by_budget = False
        self._error: HaloError | None = None
        self._random = Random()
        self._told_at = 0.0

    async def work(self) -> Course:
        asking = self._asking
        crew = [asyncio.create_task(self._take_items()) for _ in range(asking.config.concurrency)]
        watcher = asyncio.create_task(self._watch())
        try:
            await asyncio.gather(*crew)
        finally:
            for task in (*crew, watcher):
                task.cancel()
            await asyncio.gather(*crew, watcher, return_exceptions=True)
            await asking.backend.close()
        self._tell(at_once=True)
        if self._error is not None:
            raise self._error
        asking.stop.check()
        return Course(self._by_budget, dict(self._left_out))

    async def _watch(self) -> None:
        """Pass on the request to stop: what is under way may be paid for, and is waited for."""
        while not self._asking.stop.requested:
            await asyncio.sleep(GLANCE_S)
        self._ended.set()
        if self._under_way:
            self._asking.events.notice(f"waiting for {self._under_way} answers under way, which are paid for")

    async def _take_items(self) -> None:
        for item in self._items:
            if self._ended.is_set():
                return
            await self._get(item, self._asking.word(item))

    async def _get(self, item: int, request: Request) -> None:
        """Get one answer, in as many attempts as are allowed; one that the server puts off is none."""
        attempts = rests = 0
        while await self._may_ask(request):
            failure = await self._ask(item, request)
            self._tell()
            if failure is None:
                self._in_a_row = 0
                return
            if failure.hopeless:
                self._give_up(self._hopeless(failure))
                return
            if failure.wait_s is not None:
                self._rest(failure.wait_s, failure.reason)
            if failure.wait_s is not None and rests < MOST_RESTS:
                rests += 1
                continue
            attempts += 1
            if not failure.again or attempts >= self._asking.config.attempts:
                self._leave_out(failure)
                return
            wait = min(FIRST_WAIT_S * 2 ** (attempts - 1), LONGEST_WAIT_S)
            await self._nap(self._random.uniform(0.5, 1) * wait)

    async def _may_ask(self, request: Request) -> bool:
        """Wait until the server is rested and a further request can be afforded; False when it is over."""
        asking = self._asking
        while not self._ended.is_set():
            rest = self._rest_until - time.monotonic()
            if rest > 0:
                # Not all at the same moment.
                await self._nap(rest * self._random.uniform(1, 1.1))
            elif asking.budget.allows(asking.ledger.use, request.most_tokens, asking.config.max_new_tokens):
                return True
            elif self._under_way:
                await self._nap(GLANCE_S)  # what is under way will have cost less than its most
            else:
                self._by_budget = True
                self._ended.set()
        return False

    async def _ask(self, item: int, request: Request) -> RequestFailed | None:
        """Send one request and write down what became of it."""
        asking = self._asking
        asked = asking.ledger.ask(item, request.most_tokens, asking.config.max_new_tokens)
        self._under_way += 1
        try:
            reply = await asking.backend.ask(request)
        except RequestFailed as failure:
            asking.ledger.end(
                Failed(item=item, attempt=asked.attempt, reason=failure.reason, maybe_paid=failure.maybe_paid)
            )
            return failure
        finally:
            self._under_way -= 1
        answer = _answer(asked, reply)
        asking.ledger.end(answer)
        if asking.judge is not None:
            asking.judge.begin(answer)
        return None

    def _rest(self, seconds: float, reason: str) -> None:
        """Leave the server alone, all workers together."""
        if seconds > LONGEST_REST_S:
            text = f"the server wants to be left alone for {seconds:.0f} s ({reason})"
            self._give_up(EnvironmentFault(f"{text}; the same command continues then"))
        self._rest_until = max(self._rest_until, time.monotonic() + seconds)

    def _leave_out(self, failure: RequestFailed) -> None:
        self._left_out[failure.reason] += 1
        self._in_a_row += 1
        if self._in_a_row >= MOST_LEFT_OUT_IN_A_ROW:
            self._give_up(
                EnvironmentFault(
                    f"{self._in_a_row} items in a row stayed without an answer, the last by: {failure.reason}. "
                    "What came before is stored, and the same command continues"
                )
            )

    def _hopeless(self, failure: RequestFailed) -> HaloError:
        text = f"the server refuses: {failure.reason}. Mend key, model, address or credit; the same command continues"
        return ConfigError(text) if failure.reason[:3] in ("401", "403", "404") else EnvironmentFault(text)

    def _give_up(self, error: HaloError) -> None:
        """Begin nothing more; what is under way is waited for and stored."""
        self._error = self._error or error
        self._ended.set()

    async def _nap(self, seconds: float) -> None:
        """Sleep, but not beyond the end."""
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return

    def _tell(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._told_at >= TELL_PACE_S:
            self._told_at = now
            ledger = self._asking.ledger
            cost = self._asking.budget.cost(ledger.use)
            self._asking.events.emit(EventType.PROGRESS, phase=PHASE, step=len(ledger.answered), cost_usd=cost)
            for notice in self._asking.judge.take_notices() if self._asking.judge is not None else ():
                self._asking.events.notice(notice)


def _answer(asked: Asked, reply: Reply) -> Answer:
    """Join a request and its reply; what the server does not tell in a way that can be true counts at its most."""
    told = reply.tokens_in is not None and reply.tokens_out is not None
    return Answer(
        item=asked.item,
        attempt=asked.attempt,
        text=reply.text,
        finish=reply.finish,
        model=reply.model,
        tokens_in=asked.most_in if reply.tokens_in is None else reply.tokens_in,
        tokens_out=asked.most_out if reply.tokens_out is None else reply.tokens_out,
        told=told,
    )
