"""Whether training data was checked follows the model back through the runs that made it, and never claims too much."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from halo_forge.config.curate import DecontaminateConfig
from halo_forge.config.load import load
from halo_forge.config.sft import SftTrainConfig
from halo_forge.core.events import EventLog, read_events
from halo_forge.data import load_prompts, prompts_hash
from halo_forge.data.curate.decontaminate import decontaminate_file
from halo_forge.data.sidecar import Counts, Sidecar, hash_content, write_sidecar
from halo_forge.runs.contamination import contamination_of, overlap_notices
from halo_forge.runs.launch import InputFile, describe_launch, hash_file

WriteRows = Callable[..., Path]
PROBLEM = "find the perimeter of a square with side a"


@pytest.fixture
def bench(write_jsonl: WriteRows) -> Path:
    return write_jsonl("bench.jsonl", {"prompt": PROBLEM})


def checked(path: Path, bench: Path) -> Path:
    clean = path.with_name(f"clean_{path.name}")
    decontaminate_file(path, DecontaminateConfig(against=(str(bench),), output=clean), EventLog())
    return clean


def make_run(folder: Path, model: str, data: Path) -> Path:
    """A run folder as `sft train` leaves it, as far as its launch is concerned."""
    config = SftTrainConfig(model=model, data=data, output=folder)
    context = describe_launch("sft", config, folder, {"data": hash_file(data, 1)}, None)
    (folder / "final_model").mkdir(parents=True)
    (folder / "launch_context.json").write_text(context.model_dump_json())
    return folder


def problems(bench: Path) -> str:
    return prompts_hash(load_prompts(bench))


def test_a_model_of_nobodys_run_is_not_checked(bench: Path) -> None:
    assert contamination_of("org/model", problems(bench)) == (
        "not checked: nothing is known of what 'org/model' was trained on"
    )


def test_every_file_on_the_way_has_to_be_checked(write_jsonl: WriteRows, tmp_path: Path, bench: Path) -> None:
    rows = {"prompt": "x", "completion": "y"}
    first, second = write_jsonl("first.jsonl", rows, {**rows, "prompt": PROBLEM}), write_jsonl("second.jsonl", rows)
    base = make_run(tmp_path / "base", "org/model", first)
    tuned = make_run(tmp_path / "tuned", str(base / "final_model"), second)
    asked = problems(bench)
    assert contamination_of(str(tuned), asked).startswith(f"not checked: {second}, on which the sft run")
    checked(second, bench)
    assert contamination_of(str(tuned / "final_model"), asked).startswith(f"not checked: {first},")
    checked(first, bench)
    assert contamination_of(str(tuned), asked) == (
        f"checked: 0 of 1 rows of {second}, 1 of 2 rows of {first} hold one of its problems; "
        "the data of 'org/model' is unknown"
    )
    other = write_jsonl("other.jsonl", {"prompt": PROBLEM + " b"})
    assert contamination_of(str(tuned), problems(other)).startswith("not checked")
    first.write_text(first.read_text() + json.dumps(rows) + "\n")
    renewed = make_run(tmp_path / "renewed", "org/model", first)
    assert contamination_of(str(renewed), asked).startswith("not checked")


def test_training_says_what_is_known_of_its_file(
    write_jsonl: WriteRows, tmp_path: Path, bench: Path, nano_model: Path
) -> None:
    from halo_forge.sft.loop import train_sft

    rows = [{"prompt": "double n", "completion": "n * 2"}, {"prompt": PROBLEM, "completion": "4 * a"}]
    data = write_jsonl("rows.jsonl", *rows)
    clean = checked(data, bench)

    def notices(path: Path, folder: Path) -> list[str]:
        given = {"model": str(nano_model), "data": path, "output": folder, "max_steps": 1, "threads": 1}
        train_sft(load(SftTrainConfig, given))
        events = read_events(folder / "events.jsonl")
        return [said for event in events if "hold problems" in (said := str(event.m.get("message")))]

    (said,) = notices(data, tmp_path / "a")
    assert said.startswith(f"1 of 2 rows of {data} hold problems of bench.jsonl")
    assert notices(clean, tmp_path / "b") == []


def test_prompts_that_are_a_benchmark_and_foreign_sidecars(write_jsonl: WriteRows, bench: Path) -> None:
    digest = hash_content(bench)
    inputs = {"prompts": InputFile(path=str(bench), sha256=digest, rows=1)}
    assert overlap_notices(inputs) == []
    beside = Sidecar(made_by="x", source="a/b", dataset="humaneval", use="benchmark", sha256=digest, counts=Counts())
    write_sidecar(bench, beside)
    (said,) = overlap_notices(inputs)
    assert "the benchmark humaneval themselves" in said
    bench.with_name(bench.name + ".meta.json").write_text('{"other": "tool"}')
    assert overlap_notices(inputs) == []
