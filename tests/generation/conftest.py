from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from completion_server import CompletionServer, serve_completions

from halo_forge.config.generator import GeneratorOptions
from halo_forge.core.events import EventLog
from halo_forge.core.stop import StopRequest
from halo_forge.generation.connect import open_servers
from halo_forge.generation.server import ServerGenerator


@pytest.fixture
def server(nano_model: Path) -> Iterator[CompletionServer]:
    with serve_completions(nano_model) as running:
        yield running


@pytest.fixture
def options(server: CompletionServer) -> Callable[..., GeneratorOptions]:
    def make(**changes: Any) -> GeneratorOptions:
        settings = {"generator": "server", "base_url": (server.url,), "server_patience_s": 20.0, **changes}
        return GeneratorOptions(**settings)

    return make


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def connect(
    server: CompletionServer, options: Callable[..., GeneratorOptions], notices: list[str]
) -> Callable[..., ServerGenerator]:
    """Make a generator on the running server."""
    events = EventLog()
    events.listen(lambda event: notices.append(str(event.m["message"])))

    def make(context: int | None = 512, stop: StopRequest | None = None, **changes: Any) -> ServerGenerator:
        return open_servers(options(**changes), server.base.chat, context, events, stop or StopRequest())

    return make
