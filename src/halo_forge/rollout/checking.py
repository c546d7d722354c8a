"""What judges a run's completions: the verifier in its own process, behind the verdict cache."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from functools import partial
from hashlib import sha256
from typing import Protocol

from halo_forge import __version__
from halo_forge.config.shared import VerifierOptions
from halo_forge.core.protocols import Submission
from halo_forge.core.types import Prompt, Record, Verdict
from halo_forge.rollout.cache import VerdictCache, cache_file, is_lasting
from halo_forge.rollout.hosting import HostedVerifier
from halo_forge.rollout.wire import Order

STORED_TOGETHER = 128


class Reuse(Record):
    """Where verdicts came from.

    Args:
        judged: submissions that the verifier judged.
        cached: verdicts taken from the cache.
        duplicates: submissions equal to one that was in work, whose verdict they share.
    """

    judged: int = 0
    cached: int = 0
    duplicates: int = 0

    def since(self, earlier: Reuse) -> Reuse:
        """What has been added since an earlier count."""
        return Reuse(
            judged=self.judged - earlier.judged,
            cached=self.cached - earlier.cached,
            duplicates=self.duplicates - earlier.duplicates,
        )


class Judging(Protocol):
    """A verifier that works in the background."""

    @property
    def name(self) -> str:
        """See `Verifier`."""
        ...

    @property
    def version(self) -> str:
        """See `Verifier`."""
        ...

    @property
    def tier(self) -> str:
        """The sandbox's isolation."""
        ...

    def submit(self, submissions: Sequence[Submission]) -> list[Future[Verdict]]:
        """Begin to judge; one future a submission, in the same order."""
        ...

    def take_notices(self) -> list[str]:
        """Return what a person should know, once."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Checker:
    """Judges equal submissions once, and takes from the cache what was judged before.

    Submissions are equal when the version of halo-forge, the verifier, its version, the sandbox's tier, the messages,
    the reference and the text are. A verdict from the cache is the stored one whole: its timings are those of the
    first judging.
    """

    def __init__(self, judging: Judging, cache: VerdictCache | None = None) -> None:
        self.name, self.version, self.tier = judging.name, judging.version, judging.tier
        self._judging = judging
        self._cache = cache
        self._keys = _KeyMaker(judging)
        self._lock = threading.Lock()
        self._in_work: dict[bytes, Future[Verdict]] = {}
        self._unstored: dict[bytes, Verdict] = {}
        self._judged = self._cached = self._duplicates = 0

    @property
    def reuse(self) -> Reuse:
        """The count so far."""
        return Reuse(judged=self._judged, cached=self._cached, duplicates=self._duplicates)

    def verify(self, submissions: Sequence[Submission]) -> list[Verdict]:
        """Judge a batch.

        Returns:
            One verdict a submission, in the same order.

        Raises:
            EnvironmentFault: no process of the verifier can be kept running.
        """
        verdicts = [future.result() for future in self.submit(submissions)]
        self._store()
        return verdicts

    def submit(self, submissions: Sequence[Submission]) -> list[Future[Verdict]]:
        """Begin to judge.

        Returns:
            One future a submission, in the same order.

        Raises:
            EnvironmentFault: as for `verify`; also raised by the futures.
        """
        if len(self._unstored) >= STORED_TOGETHER:
            self._store()
        keys = [self._keys.key(submission) for submission in submissions]
        known = {} if self._cache is None else self._cache.find(dict.fromkeys(keys))
        with self._lock:
            known |= {key: self._unstored[key] for key in keys if key in self._unstored}
            futures = {key: _settled(verdict) for key, verdict in known.items()}
            futures |= {key: self._in_work[key] for key in keys if key not in known and key in self._in_work}
            fresh = {key: submission for key, submission in zip(keys, submissions, strict=True) if key not in futures}
            begun = dict(zip(fresh, self._judging.submit(list(fresh.values())), strict=True))
            cached = sum(key in known for key in keys)
            self._in_work |= begun
            self._cached += cached
            self._judged += len(begun)
            self._duplicates += len(keys) - cached - len(begun)
        for key, future in begun.items():
            future.add_done_callback(partial(self._finish, key))
        futures |= begun
        return [futures[key] for key in keys]

    def take_notices(self) -> list[str]:
        """Return what a person should know, once: a process that was started anew, a cache that cannot be used."""
        notices = self._judging.take_notices()
        notice = None if self._cache is None else self._cache.take_notice()
        return notices if notice is None else [*notices, notice]

    def close(self) -> None:
        """End the verifier, and write what the cache does not hold yet."""
        self._judging.close()
        self._store()
        if self._cache is not None:
            self._cache.close()

    def _finish(self, key: bytes, future: Future[Verdict]) -> None:
        with self._lock:
            del self._in_work[key]
            if self._cache is not None and future.exception() is None and is_lasting(future.result()):
                self._unstored[key] = future.result()

    def _store(self) -> None:
        with self._lock:
            unstored, self._unstored = self._unstored, {}
        if self._cache is not None:
            self._cache.store(unstored)


class _KeyMaker:
    """Hashes what a verdict depends on; the prompt's part once for all completions that follow each other."""

    def __init__(self, judging: Judging) -> None:
        parts = "\0".join((__version__, judging.name, judging.version, judging.tier))
        self._judge = sha256(parts.encode()).digest()
        self._last: tuple[Prompt | None, bytes] = (None, b"")

    def key(self, submission: Submission) -> bytes:
        """Return 32 bytes; the prompt's id and group do not count."""
        prompt, task = self._last
        if prompt is not submission.prompt:
            prompt = submission.prompt
            content = prompt.model_dump(include={"messages", "reference", "tools"}, exclude_defaults=True)
            # Not model_dump_json, which refuses half of a surrogate pair.
            task = _digest(json.dumps(content, ensure_ascii=False))
            self._last = (prompt, task)
        return sha256(self._judge + task + _digest(submission.text)).digest()


def _digest(text: str) -> bytes:
    return sha256(text.encode(errors="surrogatepass")).digest()


def _settled(verdict: Verdict) -> Future[Verdict]:
    future: Future[Verdict] = Future()
    future.set_result(verdict)
    return future


@contextmanager
def open_checker(options: VerifierOptions) -> Iterator[Checker]:
    """Build the verifier in its process, here or on each node of a Ray cluster, and end both at the end.

    Raises:
        ConfigError: unknown verifier or option.
        EnvironmentFault: no sandbox, a missing toolchain, or a verifier that does not start.
    """
    if options.executor == "ray":
        from halo_forge.rollout.ray_verifier import open_ray_verifier

        with open_ray_verifier(options) as judging, closing(_cached(judging, options)) as checker:
            yield checker
        return
    order = Order(
        verifier=options.verifier,
        options=options.verifier_options,
        sandbox=options.sandbox,
        workers=options.workers or os.cpu_count() or 1,
    )
    with closing(_cached(HostedVerifier(order, options.stall_timeout_s), options)) as checker:
        yield checker


def _cached(judging: Judging, options: VerifierOptions) -> Checker:
    return Checker(judging, VerdictCache(cache_file()) if options.cache else None)
