from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from halo_forge.config.load import Loaded, load
from halo_forge.config.sft import SftTrainConfig
from halo_forge.core.errors import DataError, Interrupted, ModelError, RunConflictError
from halo_forge.core.events import Event, EventType
from halo_forge.models.resolve import resolve_model
from halo_forge.runs.run_dir import is_complete, read_checkpoint
from halo_forge.sft.loop import plan_sft, train_sft

FORMS = [
    {"text": "<|im_start|>user\nadd a and b<|im_end|>\n<|im_start|>assistant\nreturn a + b;<|im_end|>\n"},
    {"messages": [{"role": "user", "content": "subtract"}, {"role": "assistant", "content": "return a - b;"}]},
    {"prompt": "multiply", "completion": "return a * b;"},
]
Configure = Callable[..., Loaded[SftTrainConfig]]


@pytest.fixture
def configure(tmp_path: Path, nano_model: Path, write_jsonl: Callable[..., Path]) -> Configure:
    data = write_jsonl("data.jsonl", *(FORMS * 6))

    def make(**changes: Any) -> Loaded[SftTrainConfig]:
        settings = {"model": str(nano_model), "data": data, "output": tmp_path / "out", "batch_size": 4, "epochs": 1}
        settings |= {"learning_rate": 1e-3, **changes}
        return load(SftTrainConfig, {key: value for key, value in settings.items() if value is not None})

    return make


def test_all_three_forms_train_and_the_output_is_the_next_steps_model(configure: Configure) -> None:
    loaded = configure()
    summary = train_sft(loaded)
    output = loaded.config.output
    assert (summary.rows, summary.training.steps) == (18, 5)
    assert summary.training.weight_change > 0
    ref = resolve_model(str(output))
    assert ref.adapter == str(output / "final_model")
    checkpoint = read_checkpoint(output / "final_model")
    assert checkpoint is not None and checkpoint.kind == "adapter"
    assert train_sft(configure(model=str(output), output=output.parent / "more")).training.steps == 5


def test_full_training_writes_full_weights(configure: Configure) -> None:
    loaded = configure(tuning="full", max_steps=2)
    assert train_sft(loaded).training.steps == 2
    assert resolve_model(str(loaded.config.output)).adapter is None


def test_an_adapter_is_merged_for_full_training_and_that_is_said(configure: Configure, tmp_path: Path) -> None:
    train_sft(configure())
    heard: list[Event] = []
    again = configure(model=str(tmp_path / "out"), output=tmp_path / "full", tuning="full", max_steps=1)
    train_sft(again, (heard.append,))
    assert any("merged into its base" in str(event.m.get("message")) for event in heard)
    assert resolve_model(str(tmp_path / "full")).adapter is None


def test_stopped_and_continued_gives_the_same_weights(configure: Configure, tmp_path: Path) -> None:
    train_sft(configure(output=tmp_path / "whole", epochs=3))

    def interrupt_at(step: int) -> Callable[[Event], None]:
        def listen(event: Event) -> None:
            if event.type is EventType.PHASE_STARTED:
                import os
                import signal

                os.kill(os.getpid(), signal.SIGINT)

        return listen

    with pytest.raises(Interrupted):
        train_sft(configure(epochs=3), (interrupt_at(1),))
    assert (tmp_path / "out" / "training_state").is_dir()
    assert not is_complete(tmp_path / "out")
    train_sft(configure(epochs=3))
    name = "final_model/adapter_model.safetensors"
    assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "out" / "training_state").exists()


def test_a_finished_run_is_not_trained_again(configure: Configure, tmp_path: Path) -> None:
    first = train_sft(configure())
    events = (tmp_path / "out" / "events.jsonl").read_bytes()
    assert train_sft(configure()) == first
    assert (tmp_path / "out" / "events.jsonl").read_bytes() == events


def test_changed_data_is_refused(configure: Configure, write_jsonl: Callable[..., Path]) -> None:
    train_sft(configure())
    write_jsonl("data.jsonl", *FORMS)
    with pytest.raises(RunConflictError, match=r"content of data .* changed"):
        train_sft(configure())


def test_overlong_rows_are_dropped_with_a_count(
    configure: Configure, write_jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    long = {"prompt": "x", "completion": "return a; " * 400}
    heard: list[Event] = []
    summary = train_sft(configure(data=write_jsonl("mixed.jsonl", *FORMS, long)), (heard.append,))
    assert summary.dropped == {"longer than 512 tokens": 1}
    assert any("1 longer than 512 tokens" in str(event.m.get("message")) for event in heard)
    with pytest.raises(DataError, match="no row is left to train on; dropped: 1 longer than"):
        train_sft(configure(data=write_jsonl("long.jsonl", long), output=tmp_path / "long"))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": "no/such/folder"}, ModelError, "there is no such folder"),
        ({"data": Path("none.jsonl")}, DataError, "none.jsonl"),
    ],
)
def test_mistakes_are_found_before_anything_is_written(
    configure: Configure, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    loaded = configure(**change)
    for call in (train_sft, plan_sft):
        with pytest.raises(error, match=message):
            call(loaded)
    assert not loaded.config.output.exists()


def test_a_missing_chat_template_is_an_error_and_chatml_mends_it(
    configure: Configure, nano_model: Path, tmp_path: Path
) -> None:
    import shutil

    bare = tmp_path / "bare"
    shutil.copytree(nano_model, bare, ignore=shutil.ignore_patterns("chat_template*"))
    with pytest.raises(ModelError, match=r"no chat template.*--chat-template chatml"):
        train_sft(configure(model=str(bare)))
    assert train_sft(configure(model=str(bare), chat_template="chatml", output=tmp_path / "ok")).rows == 18


def test_a_dry_run_writes_nothing(configure: Configure) -> None:
    loaded = configure()
    lines = dict(plan_sft(loaded).lines)
    assert lines["rows"] == "18"
    assert "5 steps of 4 rows" in lines["training"]
    assert not loaded.config.output.exists()
