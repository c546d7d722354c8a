"""Servers over HTTP: which one is asked, what is tried again, and for how long.

A request goes to the server it was dealt to; when that one is away it goes to the next, and when all are away it waits
and starts over, until patience has run out. A definite refusal is never repeated.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import httpx2
from pydantic import JsonValue

from halo_forge.config.generator import server_root
from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.stop import StopRequest

KEY_VARIABLES = ("HALO_FORGE_SERVER_KEY", "OPENAI_API_KEY")
AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
CONNECT_TIMEOUT_S = 10.0
FIRST_WAIT_S, LONGEST_WAIT_S, GLANCE_S = 0.25, 15.0, 0.1

Json = Mapping[str, JsonValue]
T = TypeVar("T")


class ServerRefusal(EnvironmentFault):
    """A server answered, and said no.

    Args:
        status: of HTTP.
        reason: the server's own words.
    """

    def __init__(self, url: str, path: str, status: int, reason: str) -> None:
        super().__init__(f"the server {url} refused {path} with status {status}: {reason}{_advice(status)}")
        self.status = status
        self.reason = reason


class ServerAway(Exception):
    """A server gave no usable answer; another try may."""


@dataclass
class Session:
    """An open connection to all servers; several threads may use it.

    Args:
        roots: addresses without `/v1`.
        patience_s: how long a request is repeated before the run stops.
        away: servers that failed last time, which are asked last.
    """

    roots: Sequence[str]
    client: httpx2.Client
    patience_s: float
    stop: StopRequest
    away: set[str] = field(default_factory=set)
    closing: threading.Event = field(default_factory=threading.Event)

    def ask(self, root: str, path: str, body: Json | None = None) -> JsonValue:
        """Ask one server once; with a body it is a POST.

        Raises:
            ServerAway: no connection, no answer in time, or one that says to come again.
            ServerRefusal: a definite no.
        """
        try:
            if body is None:
                response = self.client.get(root + path)
            else:
                response = self.client.post(root + path, json=body)
            content = response.text
        except httpx2.TransportError as error:
            self.away.add(root)
            raise ServerAway(f"{root}: {type(error).__name__} {error}".rstrip()) from error
        if response.status_code in AGAIN:
            self.away.add(root)
            raise ServerAway(f"{root}: status {response.status_code} {_reason(content)}".rstrip())
        if response.status_code != 200:
            raise ServerRefusal(root, path, response.status_code, _reason(content))
        self.away.discard(root)
        try:
            answer: JsonValue = response.json()
        except ValueError:
            answer = content  # vLLM answers a loaded adapter with a sentence
        return answer

    def insist(self, roots: Sequence[str], what: str, attempt: Callable[[str], T]) -> T:
        """Try an action on these servers in turn until one of them answers.

        Args:
            roots: the first is asked first, unless it failed last time.
            attempt: acts on one server; see `ask` for what it raises.

        Raises:
            EnvironmentFault: none has answered for `patience_s`; or a definite refusal.
            Interrupted: the user asked to stop.
        """
        begun, wait_s = time.monotonic(), FIRST_WAIT_S
        while True:
            problems = []
            for root in sorted(roots, key=lambda root: root in self.away):
                try:
                    return attempt(root)
                except ServerAway as problem:
                    problems.append(str(problem))
            left = self.patience_s - (time.monotonic() - begun)
            if left <= 0 or self.closing.is_set():
                raise EnvironmentFault(
                    f"no server answered {what} for {self.patience_s:g} s ({'; '.join(problems)}). What is on disk is "
                    "whole: start the server again and give the same command to continue"
                )
            self._rest(min(wait_s, left))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.stop.check()
            if self.closing.wait(min(left, GLANCE_S)):
                return


@dataclass(frozen=True)
class Servers:
    """Where the servers are and how patient we are with them."""

    roots: tuple[str, ...]
    timeout_s: float
    patience_s: float

    @classmethod
    def at(cls, urls: Sequence[str], timeout_s: float, patience_s: float) -> Servers:
        """Servers at these addresses, with or without `/v1`."""
        return cls(tuple(server_root(url) for url in urls), timeout_s, patience_s)

    @contextmanager
    def connect(self, stop: StopRequest) -> Iterator[Session]:
        """Open connections; the key goes into their headers and nowhere else."""
        local = all(urlsplit(root).hostname in ("127.0.0.1", "localhost", "::1") for root in self.roots)
        with httpx2.Client(
            headers=_credentials(),
            timeout=httpx2.Timeout(self.timeout_s, connect=CONNECT_TIMEOUT_S, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
            trust_env=not local,  # a proxy for the outside must not be asked for this machine
        ) as client:
            yield Session(self.roots, client, self.patience_s, stop)


def _credentials() -> dict[str, str]:
    key = next((os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)), None)
    return {"Authorization": f"Bearer {key}"} if key else {}


def _reason(content: str) -> str:
    return " ".join(content.split())[:300]


def _advice(status: int) -> str:
    if status in (401, 403):
        return f"; put its key into the variable {KEY_VARIABLES[0]}"
    return ""
