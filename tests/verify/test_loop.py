"""Files of rows, judged by a cheap verifier in its own process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from halo_forge.config.load import load
from halo_forge.config.verify import VerifyConfig
from halo_forge.core.errors import (
    DataError,
    EnvironmentFault,
    Interrupted,
    RunConflictError,
    RunLockedError,
    TooManyFaults,
)
from halo_forge.core.events import Event, EventType
from halo_forge.rollout.checking import Reuse
from halo_forge.verify.loop import MOST_WAITING_ROWS, verify_file
from halo_forge.verify.output import open_output
from halo_forge.verify.summary import RowVerdict, VerifySummary

pytestmark = pytest.mark.usefixtures("scripted")


class Folder:
    """A file of rows and the file of its verdicts."""

    def __init__(self, path: Path) -> None:
        self.source, self.output = path / "in.jsonl", path / "out.jsonl"

    def write(self, *texts: str) -> None:
        rows = ({"id": i, "prompt": "p", "completion": text} for i, text in enumerate(texts))
        self.source.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def verify(
        self, *listeners: Callable[[Event], None], mood: str = "", log: str = "", **changes: object
    ) -> VerifySummary:
        settings = {"verifier": "scripted", "sandbox": "limits", "verifier_options": {"mood": mood, "log": log}}
        config = load(VerifyConfig, {**settings, "workers": 2, "output": self.output, "cache": False, **changes}).config
        return verify_file(self.source, self.output, config, listeners)

    def verdicts(self) -> list[RowVerdict]:
        return [RowVerdict.model_validate_json(line) for line in self.output.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def texts(count: int) -> list[str]:
    return [f"{'right' if i % 3 else 'wrong'} {i}" for i in range(count)]


def test_one_verdict_a_row_in_order(folder: Folder) -> None:
    heard: list[Event] = []
    folder.write(*texts(1000), "raise")
    summary = folder.verify(heard.append)
    got = folder.verdicts()
    assert [(v.id, v.passed, v.detail) for v in got[:1000]] == [(str(i), i % 3 > 0, str(i)) for i in range(1000)]
    assert list(json.loads(folder.output.read_text().splitlines()[1000]).items())[:5] == [
        ("id", "1000"),
        ("reward", None),
        ("passed", False),
        ("stage", "parse"),
        ("detail", ""),
    ]
    assert got[1000].fault is not None and "no more processes" in got[1000].fault
    assert summary.counts.by_stage == {"passed": 666, "tests": 334}
    assert (summary.counts.rows, summary.counts.unverifiable, summary.mean_reward) == (1001, 1, 0.666)
    assert summary.counts.reuse == Reuse(judged=1001)
    begun = next(event for event in heard if event.type is EventType.PHASE_STARTED)
    assert (begun.m["total"], begun.m["done"]) == (1001, 0)
    told = [event for event in heard if event.type is EventType.PROGRESS]
    assert told[-1].step == 1001
    assert sum(int(str(event.m["passed"])) for event in told) == 666


def test_more_rows_than_may_wait(folder: Folder) -> None:
    folder.write(*texts(2 * MOST_WAITING_ROWS + 100))
    assert folder.verify().counts.rows == len(folder.verdicts()) == 2 * MOST_WAITING_ROWS + 100


def test_a_repeated_file_comes_from_the_cache(folder: Folder, tmp_path: Path) -> None:
    folder.write(*(f"right from the cache {i % 50}" for i in range(300)))
    first = folder.verify(cache=True).counts
    assert (first.reuse.judged, first.reuse.judged + first.reuse.cached + first.reuse.duplicates) == (50, 300)
    again = Folder(tmp_path / "again")
    again.source = folder.source
    assert again.verify(cache=True).counts.reuse == Reuse(cached=300)
    assert again.output.read_bytes() == folder.output.read_bytes()


def test_a_finished_file_is_left_and_new_rows_are_added(folder: Folder) -> None:
    folder.write(*texts(100))
    folder.verify()
    content = folder.output.read_bytes()
    again = folder.verify()
    assert (folder.output.read_bytes(), again.rows_per_s, again.counts.rows) == (content, None, 100)
    folder.write(*texts(150))
    assert folder.verify().counts.rows == 150
    assert folder.output.read_bytes()[: len(content)] == content
    assert [v.id for v in folder.verdicts()] == [str(i) for i in range(150)]


def test_a_bad_row_is_named_those_before_it_are_kept_and_mended_it_goes_on(folder: Folder, tmp_path: Path) -> None:
    log = tmp_path / "log"
    folder.write(*texts(100))
    lines = folder.source.read_text().splitlines()
    whole = lines[80]
    lines[80] = '{"prompt": "p"}'
    folder.source.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"in\.jsonl, line 81: no 'completion'"):
        folder.verify(log=str(log))
    assert len(folder.verdicts()) == 80
    lines[80] = whole
    folder.source.write_text("\n".join(lines))
    folder.verify(log=str(log))
    assert [v.detail for v in folder.verdicts()] == [str(i) for i in range(100)]
    assert sorted(log.read_text().splitlines()) == sorted(texts(100))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verifier": "gcc", "verifier_options": {}}, "verifier was 'scripted', now 'gcc'"),
        ({"verifier_options": {"mood": "other", "log": ""}}, "verifier_options was {'mood': ''.*now {'mood': 'other'"),
    ],
)
def test_changed_settings_are_refused(folder: Folder, change: dict[str, object], message: str) -> None:
    folder.write(*texts(10))
    folder.verify()
    content = folder.output.read_bytes()
    with pytest.raises(RunConflictError, match=message):
        folder.verify(**change)
    assert folder.output.read_bytes() == content
    folder.verify(workers=1, max_fault_rate=1.0, cache=True)


def test_a_changed_input_is_refused(folder: Folder) -> None:
    folder.write(*texts(10))
    folder.verify()
    folder.write("wrong", *texts(10)[1:])
    with pytest.raises(RunConflictError, match=r"on the first 10 rows of a file that began otherwise than .*in\.jsonl"):
        folder.verify()
    folder.write(*texts(9))
    with pytest.raises(RunConflictError, match="began otherwise"):
        folder.verify()


def test_somebody_elses_file_is_not_touched(folder: Folder) -> None:
    folder.write(*texts(3))
    folder.output.write_text("precious")
    with pytest.raises(RunConflictError, match="was not written by this command"):
        folder.verify()
    assert folder.output.read_text() == "precious"


def test_an_output_that_lost_lines_is_made_anew(folder: Folder) -> None:
    folder.write(*texts(30))
    folder.verify()
    whole = folder.output.read_bytes()
    for left in (b"", whole[:100]):
        folder.output.write_bytes(left)
        folder.verify()
        assert folder.output.read_bytes() == whole


def test_two_commands_do_not_write_the_same_file(folder: Folder) -> None:
    folder.write(*texts(3))
    with open_output(folder.output, {}, folder.source), pytest.raises(RunLockedError, match="another process"):
        folder.verify()


def test_too_many_faults_stop_and_the_same_command_continues(folder: Folder, tmp_path: Path) -> None:
    folder.write(*texts(500), *["raise"] * 60, *texts(500))
    with pytest.raises(TooManyFaults, match=r"more than the 5% allowed; most often: verifier scripted failed: OSError"):
        folder.verify()
    assert len(folder.verdicts()) < 560
    assert folder.verify(max_fault_rate=1.0).counts.unverifiable == 60
    assert len(folder.verdicts()) == 1060


def test_a_verifier_that_cannot_be_kept_running_leaves_what_is_written(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halo_forge.rollout.hosting.RESTART_PAUSE_S", 0.01)
    folder.write(*texts(200), *(f"exit {i}" for i in range(40)))
    with pytest.raises(EnvironmentFault, match="exit status 7"):
        folder.verify(workers=1, max_fault_rate=1.0)
    assert [v.detail for v in folder.verdicts()[:200]] == [str(i) for i in range(200)]


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_rows(folder: Folder, content: str) -> None:
    folder.source.write_text(content)
    with pytest.raises(DataError, match="holds no rows"):
        folder.verify()


def test_a_file_that_is_not_there(folder: Folder) -> None:
    with pytest.raises(DataError, match="there is no file"):
        folder.verify()
    assert not folder.output.exists()


def test_stopped_it_goes_on(folder: Folder) -> None:
    def interrupt(event: Event) -> None:
        if event.type is EventType.PROGRESS:
            os.kill(os.getpid(), signal.SIGTERM)

    folder.write(*texts(300))
    with pytest.raises(Interrupted):
        folder.verify(interrupt, verifier_options={"pause_s": 0.005})
    assert 0 < len(folder.verdicts()) < 300
    folder.verify(verifier_options={"pause_s": 0.005})
    assert [v.detail for v in folder.verdicts()] == [str(i) for i in range(300)]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl.gz"])
def test_rows_of_any_format_are_judged_and_gone_on_with(folder: Folder, tmp_path: Path, ending: str) -> None:
    import gzip

    import pyarrow as pa
    import pyarrow.parquet as pq

    def write(count: int) -> Path:
        rows = [{"id": str(i), "prompt": "p", "completion": text} for i, text in enumerate(texts(count))]
        path = tmp_path / f"rows.{ending}"
        if ending == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        elif ending == "csv":
            path.write_text("id,prompt,completion\n" + "".join(",".join(row.values()) + "\n" for row in rows))
        else:
            path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
        return path

    folder.source = write(20)
    folder.verify()
    assert [verdict.id for verdict in folder.verdicts()] == [str(i) for i in range(20)]
    first = folder.output.read_bytes()
    write(30)
    folder.verify()
    assert folder.output.read_bytes().startswith(first) and len(folder.verdicts()) == 30


def command(folder: Folder, *more: str) -> list[str]:
    words = [
        "verify",
        str(folder.source),
        "--verifier",
        "scripted",
        "--output",
        str(folder.output),
        "--sandbox",
        "limits",
    ]
    return [sys.executable, "-m", "halo_forge", *words, *more]


def test_killed_at_any_instant_it_ends_the_same(folder: Folder, tmp_path: Path) -> None:
    more = ("--no-cache", "--verifier-option", "pause_s=0.002", "--workers", "2")
    whole = Folder(tmp_path / "whole")
    whole.output.parent.mkdir()
    whole.source = folder.source
    folder.write(*texts(2500))
    subprocess.run(command(whole, *more), check=True, capture_output=True)
    dice = Random(0)
    for _ in range(4):
        before = len(folder.output.read_bytes()) if folder.output.exists() else 0
        process = subprocess.Popen(command(folder, *more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and (not folder.output.exists() or folder.output.stat().st_size <= before):
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.4))
        process.kill()
        assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
        with folder.output.open("ab") as torn:
            torn.write(b'{"id":"torn')
    subprocess.run(command(folder, *more), check=True, capture_output=True)
    assert folder.output.read_bytes() == whole.output.read_bytes()


MEASURED = """
import sys
from pathlib import Path
from halo_forge.cli.app import run
code = run(sys.argv[1:])
status = Path("/proc/self/status").read_text()
sys.exit(code or "VmHWM" + status.partition("VmHWM")[2].partition("\\n")[0])
"""


@pytest.mark.slow
def test_memory_stays_flat(folder: Folder) -> None:
    with folder.source.open("w") as file:
        for i in range(100_000):
            file.write(json.dumps({"id": i, "prompt": "p", "completion": f"right {i} {'x' * 2000}"}) + "\n")
    words = [sys.executable, "-c", MEASURED, *command(folder, "--no-cache")[3:]]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stderr
    name, kib, _ = said.splitlines()[-1].split()
    assert (name, int(kib) < 300 * 1024) == ("VmHWM:", True)
    with folder.output.open("rb") as lines:
        assert sum(1 for _ in lines) == 100_000
