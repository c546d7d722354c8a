"""Images from rows of a file through the commands, good ones and those that cannot be shown."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from seen import COLOURS, QUESTION, build_vision_model, picture

from halo_forge.cli.app import run

TINY = ["--tuning", "full", "--threads", "1", "--device", "cpu"]
BAD = {
    "empty.png": ("with empty image", b""),
    "torn.png": ("with a broken image", picture("red")[:-30]),
    "none.png": ("with a broken image", b"no image at all"),
}


def blank(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("1", size).save(buffer, "PNG")
    return buffer.getvalue()


def asked(path: str, **rest: object) -> dict[str, Any]:
    return {"prompt": [{"role": "user", "content": [{"kind": "image", "path": path}, {"text": QUESTION}]}], **rest}


def learnt(path: str, said: str) -> dict[str, Any]:
    (turn,) = asked(path)["prompt"]
    return {"messages": [turn, {"role": "assistant", "content": said}]}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_vision_model(tmp_path_factory.mktemp("seen") / "base")


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of those that cannot be shown, in a folder where good ones stand as well."""
    monkeypatch.chdir(tmp_path)
    for colour in COLOURS:
        for noise in range(4):
            Path(f"{colour}-{noise}.png").write_bytes(picture(colour, noise=noise))
    for name, (_, content) in BAD.items():
        Path(name).write_bytes(content)
    Path("dot.png").write_bytes(blank((1, 1)))
    Path("wide.png").write_bytes(blank((50_000, 3)))
    Path("bomb.png").write_bytes(blank((19_000, 19_000)))
    return [*BAD, "dot.png", "wide.png", "bomb.png", "gone.png"]


REASONS = {
    "with a broken image": 2,
    "with empty image": 1,
    "with an image of less than 2 pixels a side": 1,
    "with an image of more than 20,000 pixels a side, or too many in all": 2,
    "whose image file is not there": 1,
}


def write(name: str, rows: list[dict[str, Any]]) -> str:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


def notices(folder: str) -> str:
    events = [json.loads(line) for line in Path(folder, "events.jsonl").read_text().splitlines()]
    return "\n".join(str(event["m"].get("message")) for event in events if event["type"] == "notice")


def test_sft_raft_and_benchmark_leave_out_what_cannot_be_shown_and_say_so(
    images: list[str], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [(f"{colour}-{noise}.png", colour) for noise in range(4) for colour in COLOURS]
    rows = write("sft.jsonl", [learnt(path, said) for path, said in [*good, *((name, "red") for name in images)]])
    prompts = write("prompts.jsonl", [asked(path, answer=said) for path, said in good] + [
        asked(name, answer="red") for name in images
    ])  # fmt: skip
    assert run(["vlm", "sft", "--dataset", rows, "--model", str(model), "--output", "one", "--lr", "3e-3",
                "--max-steps", "60", "--json", *TINY]) == 0  # fmt: skip
    sft = json.loads(capsys.readouterr().out)
    assert (sft["rows"], sft["dropped"]) == (12, REASONS)
    assert run(["vlm", "train", "--dataset", prompts, "--model", "one", "--output", "two", "--cycles", "1",
                "--samples-per-prompt", "4", "--temperature", "1", "--lr", "1e-4", "--max-new-tokens", "6",
                "--holdout-fraction", "0.25", "--json", *TINY]) == 0  # fmt: skip
    raft = json.loads(capsys.readouterr().out)
    assert raft["prompts"] + raft["holdout_prompts"] == 12
    assert raft["cycles"][1]["kept"] > 0
    assert "7 prompts are left out" in notices("two")
    assert run(["vlm", "benchmark", "--dataset", prompts, "--model", "two", "--output", "three", "--max-new-tokens",
                "6", "--threads", "1"]) == 0  # fmt: skip
    assert "accuracy" in capsys.readouterr().out
    assert json.loads(Path("three/summary.json").read_text())["sampled"]["prompts"] == 12
    said = notices("three")
    assert "7 prompts are left out, so these are figures of a smaller set" in said
    assert all(f"{count} {reason}" in said for reason, count in REASONS.items())


def test_a_set_with_nothing_to_see_is_an_error(
    images: list[str], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write("rows.jsonl", [learnt(name, "red") for name in images])
    prompts = write("prompts.jsonl", [asked(name, answer="red") for name in images])
    for words in (
        ["sft", "--dataset", rows, "--output", "a"],
        ["train", "--dataset", prompts, "--output", "b"],
        ["benchmark", "--dataset", prompts, "--output", "c"],
    ):
        assert run(["vlm", *words, "--model", str(model)]) == 2
        assert "2 with a broken image" in capsys.readouterr().err


def test_an_address_is_refused_and_not_read(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    prompts = write("prompts.jsonl", [asked("http://127.0.0.1:9/red.png", answer="red")])
    assert run(["vlm", "benchmark", "--dataset", prompts, "--model", str(model), "--output", "c"]) == 2
    said = capsys.readouterr().err
    assert "data prepare --media-urls" in said
