from __future__ import annotations

import json
from pathlib import Path

import pytest

from halo_forge.core.errors import ModelError
from halo_forge.models.resolve import ModelRef, resolve_model


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def adapter(folder: Path, base: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    return folder


def test_a_folder_of_weights(base: Path) -> None:
    assert resolve_model(str(base)) == ModelRef(str(base))


def test_an_adapter_brings_its_base(base: Path, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "a", str(base))
    assert resolve_model(str(folder)) == ModelRef(str(base), str(folder))
    assert resolve_model(str(folder), stated_base=str(base / ".." / "base")) == ModelRef(str(base), str(folder))


def test_a_run_folder_stands_for_its_final_model(base: Path, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "run" / "final_model", str(base))
    assert resolve_model(str(tmp_path / "run")) == ModelRef(str(base), str(folder))


def test_a_base_that_differs_is_an_error(base: Path, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "a", str(base))
    with pytest.raises(ModelError, match=r"is an adapter of '.*base', not of 'Other/model': leave that one out"):
        resolve_model(str(folder), stated_base="Other/model")
    with pytest.raises(ModelError, match="holds full weights and needs no base"):
        resolve_model(str(base), stated_base="Other/model")


def test_a_moved_base_is_said_and_can_be_named(base: Path, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "a", str(tmp_path / "gone"))
    with pytest.raises(ModelError, match="which is gone"):
        resolve_model(str(folder))
    assert resolve_model(str(folder), stated_base=str(base)).base == str(base)


def test_an_unfinished_run_names_its_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "run" / "cycle_1_final").mkdir(parents=True)
    (tmp_path / "run" / "launch_context.json").write_text("{}")
    with pytest.raises(ModelError, match="has not finished, and it has cycle_1_final"):
        resolve_model(str(tmp_path / "run"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("models/sft/final_model", "there is no such folder, and it is no Hub id"),
        ("./nothing", "there is no such folder"),
    ],
)
def test_a_path_that_is_not_one(name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=message):
        resolve_model(name)


def test_a_folder_without_a_model_and_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a model: it holds neither"):
        resolve_model(str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="is a file"):
        resolve_model(str(tmp_path / "file"))


def test_a_hub_id_that_cannot_be_reached_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"'org/name': no such folder here, and the Hub cannot be reached"):
        resolve_model("org/name")


@pytest.mark.parametrize("content", ["{", "{}", '{"base_model_name_or_path": ""}'])
def test_a_broken_adapter_config_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "adapter_config.json").write_text(content)
    with pytest.raises(ModelError, match=r"adapter_config.json (cannot be read|names no base model)"):
        resolve_model(str(tmp_path))
