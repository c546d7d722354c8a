import math
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from halo_forge.cli.lines import Narrator
from halo_forge.cli.view import ConsoleLog, PlainView, TerminalView, open_view
from halo_forge.core.events import Event, EventType


def plain(events: list[Event]) -> list[str]:
    page = StringIO()
    with PlainView(Console(file=page, width=40, markup=False)) as view:
        for event in events:
            view(event)
    return page.getvalue().splitlines()


def event(type: EventType, t: float = 1_000.0, **fields: object) -> Event:
    named = {key: fields.pop(key) for key in ("cycle", "phase", "step") if key in fields}
    return Event(seq=0, t=t, attempt=1, type=type, m=fields, **named)


def test_plain_lines_tell_the_run_in_order(raft_events: list[Event], tmp_path: Path) -> None:
    assert plain(raft_events) == [
        f"starting raft run 20260101-000000-abcdef in {tmp_path}",
        "cycle 1, generate",
        "cycle 1, generate: 192/640, pass 25.0%, 1,234 tokens/s, 14 s left",
        "cycle 1, generate: 384/640, pass 25.0%, 1,234 tokens/s, 8.0 s left",
        "cycle 1, generate: 576/640, pass 25.0%, 1,234 tokens/s, 2.0 s left",
        "cycle 1, generate: done in 20 s, 640/640, pass 30.0%, 1,234 tokens/s",
        "note: 3 rows longer than [2048] tokens were dropped",
        "cycle 1, train",
        "cycle 1, train: done in 4.0 s, 4/4, loss 0.5000",
        "saved models/raft/cycle_1_final",
        "cycle 1 finished: pass@1 30.0%, compiles 92.0%, kept 128",
        "finished in 28 s",
    ]


def test_the_log_in_the_run_folder_has_the_same_lines_with_the_time(raft_events: list[Event], tmp_path: Path) -> None:
    log = ConsoleLog()
    for one in raft_events:
        log(one)
    lines = (tmp_path / "console.log").read_text().splitlines()
    assert [line[21:] for line in lines] == plain(raft_events)
    assert lines[0].startswith("1970-01-01 00:16:40  ")
    assert log.folder == tmp_path


def test_a_second_attempt_is_appended_to_the_log(raft_events: list[Event], tmp_path: Path) -> None:
    for _ in range(2):
        log = ConsoleLog()
        log(raft_events[0])
    assert len((tmp_path / "console.log").read_text().splitlines()) == 2


def test_how_a_run_failed_is_logged_and_left_to_the_command_to_print(tmp_path: Path) -> None:
    events = [
        event(EventType.RUN_STARTED, kind="sft", run_id="r", output=str(tmp_path), resumed=True),
        event(EventType.RUN_FAILED, t=1_002.0, message="ModelError: no such model", exit_code=2),
    ]
    assert plain(events) == [f"continuing sft run r in {tmp_path}"]
    log = ConsoleLog()
    for one in events:
        log(one)
    assert "failed after 2.0 s: ModelError: no such model" in (tmp_path / "console.log").read_text()


def terminal(events: list[Event]) -> str:
    """Return everything a terminal was sent, each event drawn at once."""
    page = StringIO()
    console = Console(file=page, force_terminal=True, width=140, color_system=None, markup=False, _environ={})
    with TerminalView(console) as view:
        for one in events:
            view(one)
            view.refresh()
    return page.getvalue()


def test_a_terminal_gets_a_bar_a_phase_and_a_line_for_what_is_finished(raft_events: list[Event]) -> None:
    text = terminal(raft_events)
    assert "preparing" in text
    assert "cycle 1, generate ━" in text
    assert "576/640" in text
    assert "2.0 s left pass 25.0%, 1,234 tokens/s" in text
    assert "cycle 1, train" in text
    assert "loss 0.7000" in text
    assert "note: 3 rows longer than [2048] tokens were dropped" in text
    assert "cycle 1 finished: pass@1 30.0%, compiles 92.0%, kept 128" in text
    assert "cycle 1, generate: 192/640" not in text


def test_a_notice_is_yellow_on_a_terminal() -> None:
    page = StringIO()
    with TerminalView(Console(file=page, force_terminal=True, color_system="standard", width=80, _environ={})) as view:
        view(event(EventType.NOTICE, message="look"))
    assert "\x1b[33mnote: look\x1b[0m" in page.getvalue()


@pytest.mark.parametrize(("terminal", "view"), [(True, TerminalView), (False, PlainView)])
def test_the_view_fits_where_it_goes(terminal: bool, view: type) -> None:
    assert isinstance(open_view(Console(file=StringIO(), force_terminal=terminal)), view)


def test_a_continued_phase_shows_what_was_done_and_paces_only_what_is_new() -> None:
    narrator = Narrator(0.0)
    opened = narrator.tell(event(EventType.PHASE_STARTED, phase="generate", total=100, done=80))
    assert opened is not None
    assert opened.text == "generate: 80/100 done, going on"
    line = narrator.tell(event(EventType.PROGRESS, t=1_010.0, phase="generate", step=90, passed=0, verified=10))
    assert line is not None
    assert line.text == "generate: 90/100, pass 0.0%, 10 s left"


def test_nothing_verified_is_no_pass_rate() -> None:
    narrator = Narrator(0.0)
    line = narrator.tell(event(EventType.PROGRESS, phase="generate", step=8, passed=0, verified=0, tokens_per_s=None))
    assert line is not None
    assert line.text == "generate: 8"


def test_a_loss_that_is_not_finite_is_shown_as_such() -> None:
    narrator = Narrator(0.0)
    narrator.tell(event(EventType.STEP, phase="train", step=1, total=4, loss=0.5))
    line = narrator.tell(event(EventType.STEP, t=1_001.0, phase="train", step=2, total=4, loss=None))
    assert line is not None
    assert line.text == "train: 2/4, loss nan, 2.0 s left"


def test_the_parts_of_a_phase_have_a_pace_each() -> None:
    narrator = Narrator(0.0)
    narrator.tell(event(EventType.PHASE_STARTED, phase="raft", total=100, done=0))
    narrator.tell(event(EventType.PROGRESS, t=1_010.0, phase="raft", step=100, at="cycle 1 generate"))
    first = narrator.tell(event(EventType.PROGRESS, t=1_011.0, phase="raft", step=20, at="cycle 1 train"))
    second = narrator.tell(event(EventType.PROGRESS, t=1_013.0, phase="raft", step=60, at="cycle 1 train"))
    assert first is not None
    assert second is not None
    assert first.text == "raft: 20/100, cycle 1 train"
    assert second.text == "raft: 60/100, cycle 1 train, 2.0 s left"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"cycle": 0, "kept": 0, "holdout_pass_at_1": 0.2}, "start model measured: held-out pass@1 20.0%"),
        ({"cycle": 3, "pass_at_1": None, "kept": None}, "cycle 3 finished: nothing measured"),
        ({"cycle": 3, "kept": 0}, "cycle 3 finished: kept 0"),
        ({"cycle": 1, "phase": "unfiltered", "kept": 9}, "unfiltered, cycle 1 finished: kept 9"),
    ],
)
def test_the_line_of_a_cycle(fields: dict[str, object], text: str) -> None:
    line = Narrator(math.inf).tell(event(EventType.CYCLE_FINISHED, **fields))
    assert line is not None
    assert line.text == text


@pytest.mark.parametrize("type", EventType)
def test_every_event_can_come_first_and_without_measurements(type: EventType) -> None:
    line = Narrator(0.0).tell(event(type))
    assert line is None or line.text
