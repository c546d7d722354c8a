"""A server that answers at once, and a desk to ask it from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import ChatServer, serve_chat
from writing_desk import Desk

from halo_forge.datagen import asking


@pytest.fixture
def server() -> Iterator[ChatServer]:
    pytest.importorskip("openai")
    with serve_chat() as running:
        yield running


@pytest.fixture
def desk(server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(asking, "FIRST_WAIT_S", 0.02)
    return Desk(tmp_path, server.url)
