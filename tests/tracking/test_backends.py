"""The trackers whose libraries are large: tried where they are installed, with local stores, and read back."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from halo_forge.tracking.export import export_run
from halo_forge.tracking.live import open_trackers

READERS = Path(__file__).with_name("readers.py")


@pytest.fixture(params=["mlflow", "trackio", "wandb"])
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tracker, if it is installed, that keeps everything below `tmp_path`."""
    if find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed: pip install 'halo-forge[{request.param}]'")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    return str(request.param)


def read_back(name: str, folder: Path) -> tuple[list[list[Any]], dict[str, str]]:
    where = str(folder / "tracking") if name == "wandb" else "our-project"
    done = subprocess.run([sys.executable, str(READERS), name, where], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows, settings = json.loads(done.stdout.splitlines()[-1])
    return sorted(rows), settings


def expected() -> list[list[Any]]:
    rows: list[list[Any]] = []
    for cycle in (1, 2):
        rows += [["generate/pass_rate", 128 * (cycle - 1) + step, 0.25] for step in (64, 128)]
        rows += [["train/loss", 3 * (cycle - 1) + step, 1.5 / cycle / step] for step in (1, 2, 3)]
        rows += [["cycle/pass_at_1", cycle, 0.25 * cycle], ["cycle/kept", cycle, 10]]
    return sorted([*rows, ["result/pass_at_1", 0, 0.5]])


def test_everything_arrives_live(name: str, attempt: Any) -> None:
    complaints: list[str] = []
    with open_trackers([name], "our-project", complaints) as trackers:
        folder = attempt(trackers)
    assert not complaints, (folder / "tracking" / f"{name}.log").read_text()
    rows, settings = read_back(name, folder)
    assert rows == expected()
    assert settings["learning_rate"] == "None" and settings["batch_size"] == "16"
    assert settings.get("status", "FINISHED") == "FINISHED" and settings.get("exit", "0") == "0"


def test_a_resumed_run_goes_on_in_the_same_record(name: str, attempt: Any) -> None:
    def torn(events: Any) -> None:
        raise KeyError("killed here")

    with pytest.raises(KeyError), open_trackers([name], "our-project", []) as trackers:
        attempt(trackers, torn)
    with open_trackers([name], "our-project", []) as trackers:
        folder = attempt(trackers)
    assert read_back(name, folder)[0] == expected()


def test_an_export_arrives_the_same(name: str, attempt: Any) -> None:
    folder = attempt()
    export_run(folder, name, "our-project")
    assert read_back(name, folder)[0] == expected()
    if name != "wandb":  # offline, each export is a file of its own; the server keeps the last
        export_run(folder, name, "our-project")
        assert read_back(name, folder)[0] == expected()
