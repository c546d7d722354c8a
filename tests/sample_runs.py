"""Run folders as RAFT leaves them, made without a model by the functions that make real ones."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from PIL import Image

from halo_forge.config.load import Loaded, load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.events import EventType
from halo_forge.core.types import Completion, MediaPart, Message, Prompt, Rollout, Stage, TextPart, Verdict
from halo_forge.rollout.metrics import Metrics, measure
from halo_forge.rollout.records import append_records, write_atomically
from halo_forge.rollout.sketch import sketch
from halo_forge.runs.launch import InputFile
from halo_forge.runs.run_dir import Run, open_run
from halo_forge.runs.summary import CycleSummary, RaftSummary

INPUTS = {"prompts": InputFile(path="p.jsonl", sha256="aa", rows=3)}
PROMPTS = 8


def raft_settings(output: Path, **changes: object) -> Loaded[RaftTrainConfig]:
    return load(RaftTrainConfig, {"model": "m", "prompts": "p.jsonl", "output": output, **changes})


@contextmanager
def opened(output: Path, **changes: object) -> Iterator[Run]:
    """A run that has begun its work."""
    with open_run("raft", raft_settings(output, **changes), output, INPUTS) as run:
        run.rollouts("cycle_1").parent.mkdir(exist_ok=True)
        run.rollouts("cycle_1").touch()
        yield run


def finished_run(output: Path, right: tuple[int, ...] = (1, 2, 4, 3), **changes: object) -> Path:
    """A run that ended well.

    Args:
        right: for the start model and each cycle, how many of 8 held-out prompts it answers.
    """
    with opened(output, **changes) as run:
        cycles = [_cycle(run, number, count) for number, count in enumerate(right)]
        append_records(run.path / "cycles.jsonl", cycles)
        summary = RaftSummary(
            run_id=run.context.run_id,
            model="m",
            verifier="gcc",
            verifier_version="1",
            seed=0,
            prompts=PROMPTS,
            holdout_prompts=PROMPTS,
            cycles=tuple(cycles),
            best_cycle=right.index(max(right)),
            chosen_by="highest",
            wall_s=1.0,
        )
        write_atomically(run.path / "summary.json", summary.model_dump_json())
    return output


def _cycle(run: Run, number: int, right: int) -> CycleSummary:
    run.events.emit(EventType.PHASE_STARTED, cycle=number, phase="generate", total=PROMPTS, done=0)
    run.events.emit(EventType.PROGRESS, cycle=number, phase="generate", step=PROMPTS)
    run.events.emit(EventType.CYCLE_FINISHED, cycle=number, holdout_pass_at_1=right / PROMPTS)
    if number:
        run.checkpoint(number).mkdir()
        (run.checkpoint(number) / "config.json").write_text("{}")
        (run.checkpoint(number) / "model.safetensors").write_bytes(bytes(100_000))
    return CycleSummary(cycle=number, kept=3 * bool(number), holdout=_measured(right))


def _measured(right: int) -> Metrics:
    rollouts = [
        Rollout(
            cycle=1,
            chunk=0,
            completion=Completion(prompt_id=f"p{i}", index=0, text=f"answer {i}", finish_reason="stop"),
            verdict=Verdict(reward=float(i < right), passed=i < right, stage=Stage.TESTS),
        )
        for i in range(PROMPTS)
    ]
    return measure(sketch(rollouts))


def with_samples(run: Path, media: Path) -> Path:
    """Give a finished run four completions, to a prompt with a picture, one with a sound, and one with neither.

    Args:
        media: folder for the picture and the sound, which is that of the run's file of prompts from now on.
    """
    image, audio = picture(media / "picture.png"), tone(media / "tone.wav")
    (media / "prompts.jsonl").touch()
    launch = run / "launch_context.json"
    context = json.loads(launch.read_text())
    context["inputs"]["prompts"]["path"] = str(media / "prompts.jsonl")
    launch.write_text(json.dumps(context))
    prompts = [
        Prompt(id="seen", messages=(Message(role="user", content=(image, TextPart(text="which colour?"))),)),
        Prompt(id="heard", messages=(Message(role="user", content=(audio,)),)),
        Prompt(id="read", messages=(Message(role="user", content="double 3"),)),
    ]
    append_records(run / "prompts.jsonl", prompts)
    texts = {("seen", 0): "red", ("seen", 1): "blue", ("heard", 0): "low", ("read", 0): "int f;"}
    rollouts = [
        Rollout(
            cycle=1,
            chunk=0,
            completion=Completion(prompt_id=prompt, index=index, text=text, token_ids=(1, 2), finish_reason="stop"),
            verdict=Verdict(reward=float(text == "red"), passed=text == "red", stage=Stage.TESTS, detail="as judged"),
        )
        for (prompt, index), text in texts.items()
    ]
    append_records(run / "rollouts" / "cycle_1.jsonl", rollouts)
    return run


def picture(path: Path, size: tuple[int, int] = (1200, 600)) -> MediaPart:
    Image.new("RGB", size, "red").save(path)
    return MediaPart(kind="image", path=str(path), sha256=sha256(path.read_bytes()).hexdigest())


def tone(path: Path) -> MediaPart:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(b"\x00\x10\x00\xf0" * 4_000)
    return MediaPart(kind="audio", path=str(path), sha256=sha256(path.read_bytes()).hexdigest())
