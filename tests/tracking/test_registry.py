from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from halo_forge.cli.app import run
from halo_forge.config.shared import Tracker
from halo_forge.core.errors import EnvironmentFault
from halo_forge.tracking.registry import TRACKERS, Known, check_trackers

HERE = Known("json", "nowhere:Nothing")


def test_every_tracker_that_can_be_named_is_known() -> None:
    assert set(get_args(Tracker)) == set(TRACKERS)


def test_a_missing_library_ends_the_command_before_it_writes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(TRACKERS, "mlflow", Known("no_such_library", "nowhere:Nothing"))
    flags = ["--model", "m", "--data", "rows.jsonl", "--output", str(tmp_path / "run"), "--report-to", "mlflow"]
    assert run(["sft", "train", *flags]) == 3
    assert "pip install 'halo-forge[mlflow]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_wandb_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(TRACKERS, "wandb", HERE)
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(EnvironmentFault, match=r"wandb login.*WANDB_MODE=offline"):
        check_trackers(["wandb"])
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password key\n")
    check_trackers(["wandb"])
    monkeypatch.setenv("WANDB_BASE_URL", "http://ours:8080")
    with pytest.raises(EnvironmentFault):
        check_trackers(["wandb"])
    monkeypatch.setenv("WANDB_MODE", "offline")
    check_trackers(["wandb"])
