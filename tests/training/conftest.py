from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.types import Message
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.resolve import resolve_model

OpenPolicy = Callable[..., Policy]


@pytest.fixture
def open_policy(nano_model: Path) -> OpenPolicy:
    def make(**tuning: Any) -> Policy:
        options = TuningOptions(**{"tuning": "full", **tuning})
        return load_policy(resolve_model(str(nano_model)), LoadingOptions(), options, seed=1)

    return make


@pytest.fixture
def rows(open_policy: OpenPolicy) -> list[TrainingRow]:
    chat = open_policy().chat
    return [
        chat.conversation_row(
            [
                Message(role="user", content=f"Write int f{i}(int n){' please' * (i % 4)}."),
                Message(role="assistant", content=f"int f{i}(int n) {{ return n * {i}; }}"),
            ]
        )
        for i in range(14)
    ]
