"""Speech from rows of a file, and from a Hub of our own, through the commands."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hub_repositories import write_repositories
from hub_server import HubServer
from speech import WORDS, audio_part, build_speech_model, write_tones
from warm import warm_process

from halo_forge.cli.app import run

TINY = ["--tuning", "full", "--threads", "1", "--device", "cpu"]


@pytest.fixture
def rows(tmp_path: Path, nano_speech_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of spoken tones, with three rows that cannot be used as they are."""
    monkeypatch.chdir(tmp_path)
    said = [*WORDS, *(f"{one} {other}" for one, other in product(WORDS, WORDS))]
    listed: list[dict[str, Any]] = []
    for number, words in enumerate(said):
        path = write_tones(tmp_path / f"{number}.wav", words)
        listed.append(
            {"id": words, "audio": {"path": path.name, "sha256": audio_part(path).sha256}, "transcript": words}
        )
    write_tones(tmp_path / "long.flac", "low mid high low mid", rate=44_100, channels=2)
    (tmp_path / "broken.wav").write_bytes(b"no sound at all")
    listed += [
        {"id": "long", "audio": "long.flac", "transcript": "low mid high low mid"},
        {"id": "broken", "audio": "broken.wav", "transcript": "low"},
        {"id": "gone", "audio": "gone.wav", "transcript": "low"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in listed))
    return tmp_path / "rows.jsonl"


def notices(folder: Path) -> str:
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return "\n".join(str(event["m"].get("message")) for event in events if event["type"] == "notice")


def test_sft_raft_and_benchmark_on_what_is_heard(
    rows: Path, nano_speech_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audio", "sft", "--data", str(rows), "--model", str(nano_speech_model), "--output", "one",
                "--lr", "2e-3", "--batch-size", "4", "--epochs", "80", "--json", *TINY]) == 0  # fmt: skip
    sft = json.loads(capsys.readouterr().out)
    assert sft["rows"] == 12
    assert sft["dropped"] == {
        "with audio longer than the model's window of 1 s": 1,
        "with broken audio": 1,
        "whose audio file is not there": 1,
    }
    assert run(["audio", "train", "--prompts", str(rows), "--model", "one", "--output", "two", "--task", "asr",
                "--cycles", "1", "--samples-per-prompt", "4", "--temperature", "1", "--lr", "1e-3", "--json",
                "--holdout-fraction", "0.25", *TINY]) == 0  # fmt: skip
    raft = json.loads(capsys.readouterr().out)
    assert raft["prompts"] + raft["holdout_prompts"] == 12
    assert raft["cycles"][1]["kept"] > 0
    assert set(raft["cycles"][1]["holdout"]["scores"]) == {"WER", "CER"}
    assert "3 prompts are left out" in notices(Path("two"))
    assert (
        run(["audio", "benchmark", "--prompts", str(rows), "--model", "two", "--output", "three", "--threads", "1"])
        == 0
    )
    shown = capsys.readouterr().out
    assert "WER" in shown and "CER" in shown
    summary = json.loads(Path("three/summary.json").read_text())
    assert summary["sampled"]["prompts"] == 13  # the long one is heard as far as the window goes
    figure = summary["sampled"]["scores"]["WER"]
    assert 0 < figure["value"] < 0.6 and figure["ci95"][0] <= figure["value"] <= figure["ci95"][1]
    said = notices(Path("three"))
    assert "2 prompts are left out, so these are figures of a smaller set" in said
    assert "1 prompts are cut to what the model takes in" in said


def test_a_set_with_nothing_to_hear_is_an_error(
    tmp_path: Path, nano_speech_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text('{"audio": "gone.wav", "transcript": "low"}\n')
    model = str(nano_speech_model)
    for words in (
        ["sft", "--data", "rows.jsonl", "--model", model, "--output", "a"],
        ["train", "--prompts", "rows.jsonl", "--model", model, "--output", "b"],
        ["benchmark", "--prompts", "rows.jsonl", "--model", model, "--output", "c"],
    ):
        assert run(["audio", *words]) == 2
        assert "1 whose audio file is not there" in capsys.readouterr().err


def test_packing_and_servers_are_refused_in_a_line(
    rows: Path, nano_speech_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model", str(nano_speech_model), "--output", "one", "--threads", "1"]
    assert run(["audio", "sft", "--data", str(rows), "--packing", *words]) == 2
    assert "--packing does not go with a model that hears or sees" in capsys.readouterr().err
    server = ["--generator", "server", "--base-url", "http://127.0.0.1:9/v1"]
    assert run(["audio", "train", "--prompts", str(rows), *server, *words]) == 2
    assert "takes models of text alone" in capsys.readouterr().err


def test_a_model_and_its_speech_by_hub_name(hub: HubServer, tmp_path: Path) -> None:
    build_speech_model(hub.folder("models", "org/tiny-whisper"))
    write_repositories(hub.root)
    hub.branches.add("refs/convert/parquet")

    def call(*words: str) -> Any:
        done = warm.tell("audio", *words, "--threads", "1", "--json", cwd=tmp_path)
        assert done.code == 0, done.err
        return json.loads(done.out)

    with warm_process(tmp_path, environment=hub.environment(tmp_path / "home")) as warm:
        sft = call("sft", "--dataset", "librispeech_sft", "--model", "org/tiny-whisper", "--output", "one",
                   "--max-steps", "2", "--max-length", "16", "--lora-rank", "2")  # fmt: skip
        assert sft["rows"] > 0
        adapter = json.loads((tmp_path / "one" / "final_model" / "adapter_config.json").read_text())
        assert adapter["base_model_name_or_path"] == "org/tiny-whisper"
        assert sorted(adapter["target_modules"]) == ["k_proj", "out_proj", "q_proj", "v_proj"]
        found = call("benchmark", "--dataset", "librispeech", "--model", "one", "--max-new-tokens", "4")
        assert found["sampled"]["scores"]["WER"]["value"] > 0
        words = call("benchmark", "--dataset", "speech_commands", "--task", "classification", "--model", "one",
                     "--max-new-tokens", "4")  # fmt: skip
    assert set(words["sampled"]["scores"]) == {"accuracy"}
