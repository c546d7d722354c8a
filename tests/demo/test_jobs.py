from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from halo_forge.core.errors import HaloError, Interrupted
from halo_forge.core.events import Event, EventLog, EventType
from halo_forge.core.stop import StopRequest
from halo_forge.demo.jobs import Job, arguments, run_jobs


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Job]:
    def make(name: str, *words: str, after: tuple[str, ...] = ()) -> Job:
        return Job(name=name, arguments=words or ("--version",), output=tmp_path / name, after=after)

    return make


def test_jobs_wait_for_those_they_need(job: Callable[..., Job], tmp_path: Path) -> None:
    heard: list[Event] = []
    events = EventLog()
    events.listen(heard.append)
    jobs = [job("last", after=("first", "second")), job("first"), job("second")]
    seconds = run_jobs(jobs, 2, tmp_path / "logs", events, StopRequest())
    assert set(seconds) == {"first", "second", "last"}
    started = [e.phase for e in heard if e.type is EventType.PHASE_STARTED]
    finished = [e.phase for e in heard if e.type is EventType.PHASE_FINISHED]
    assert started[-1] == "last" and set(finished[:2]) == {"first", "second"}
    assert (tmp_path / "logs" / "first.log").read_text().startswith("halo-forge")


def test_a_failed_command_is_named_with_its_last_word(job: Callable[..., Job], tmp_path: Path) -> None:
    broken = job("broken", "config", "validate", str(tmp_path / "none.yaml"))
    with pytest.raises(HaloError, match=r"config validate .* ended with status 2: .*none.yaml"):
        run_jobs([broken], 1, tmp_path / "logs", EventLog(), StopRequest())


def test_a_stop_ends_what_is_running(job: Callable[..., Job], tmp_path: Path) -> None:
    stop = StopRequest()
    events = EventLog()
    events.listen(lambda event: setattr(stop, "requested", True))
    with pytest.raises(Interrupted):
        run_jobs([job("one"), job("two")], 1, tmp_path / "logs", events, stop)


def test_options_are_spelt_as_flags() -> None:
    assert arguments("sft train", max_steps=5, data=Path("a.jsonl")) == (
        "sft",
        "train",
        "--max-steps",
        "5",
        "--data",
        "a.jsonl",
    )
