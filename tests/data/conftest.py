"""Files of rows, the shared data sets and a Hub of our own for the tests of `halo_forge.data`."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY.parent / "shared" / "data"


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """Write rows into a JSONL file and return its path."""

    def write(*rows: dict[str, Any]) -> Path:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def shared_file() -> Callable[[str], Path]:
    """Return a file of the shared data, or skip."""

    def find(name: str) -> Path:
        if not (SHARED / name).is_file():
            pytest.skip(f"needs {SHARED / name}, which is not part of the repository")
        return SHARED / name

    return find


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Any]:
    """A `HubServer` on an empty folder."""
    root = tmp_path / "hub_root"
    root.mkdir()
    with _hub_server().serve_hub(root) as server:
        yield server


def _hub_server() -> ModuleType:
    """Import tests/hub_server.py, which pytest's importlib mode keeps off the path."""
    if "hub_server" not in sys.modules:
        spec = importlib.util.spec_from_file_location("hub_server", REPOSITORY / "tests" / "hub_server.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules["hub_server"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["hub_server"])
    return sys.modules["hub_server"]
