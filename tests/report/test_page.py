import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from halo_forge.core.errors import DataError
from halo_forge.report import write_report

KINDS = ["raft_run", "interrupted_run", "sft_run", "benchmark_run"]
PLOTS = {
    "raft_run": {"rates", "stages", "rewards", "kept", "diversity", "loss", "time"},
    "interrupted_run": {"rates", "stages", "rewards", "kept", "diversity", "loss", "time"},
    "sft_run": {"loss"},
    "benchmark_run": {"pass_at_k", "stages"},
}


class Outline(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def outline(folder: Path) -> Outline:
    return Outline(write_report(folder).read_text(encoding="utf-8"))


@pytest.fixture(params=KINDS)
def any_run(request: pytest.FixtureRequest) -> tuple[str, Path]:
    return request.param, request.getfixturevalue(request.param)


def test_page_is_self_contained_and_accessible(any_run: tuple[str, Path]) -> None:
    kind, folder = any_run
    page = outline(folder)
    assert {p.stem for p in (folder / "plots").iterdir()} == PLOTS[kind]
    assert not {"script", "a", "img", "link", "iframe", "object"} & set(page.tags)
    loaded = {value for name, value in page.attributes if name in ("src", "href", "xlink:href", "action")}
    assert all(value is not None and value.startswith("#") for value in loaded)
    assert page.tags.count("h1") == 1
    assert page.tags.count("svg") == len(PLOTS[kind])
    drawings = [value for name, value in page.attributes if name == "role" and value == "img"]
    assert len(drawings) == len(PLOTS[kind])
    assert all(value for name, value in page.attributes if name == "aria-label")
    assert page.tags.count("caption") == page.tags.count("table")
    assert not list(folder.rglob("*.partial"))


def test_drawings_follow_the_page_and_share_no_ids(raft_run: Path) -> None:
    page = write_report(raft_run).read_text(encoding="utf-8")
    ids = [value for name, value in Outline(page).attributes if name == "id"]
    assert len(ids) == len(set(ids))
    drawings = "".join(part.split("</svg>")[0] for part in page.split("<svg")[1:])
    assert "var(--blue)" in drawings
    assert "#" not in drawings.replace('href="#', "").replace("url(#", "")
    assert "font-family" not in drawings


def test_raft_headline_gives_the_paired_change_and_its_caveat(raft_run: Path) -> None:
    text = outline(raft_run).text
    assert "on 24 held-out prompts after cycle 3, against" in text
    assert "points (95% interval +" in text
    assert "Cycle 3 was chosen by its figure on these same prompts" in text
    assert "Published: cycle 3" in text
    assert "How the answers are" in text and "Stopped after" not in text
    assert "3 prompts are longer than max_length and were dropped (dropped=3)" in text
    assert "sandbox: cannot fork, out of memory" in text


def test_raft_that_ran_out_of_patience_says_so(raft_run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(raft_run, tmp_path / "run")
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, "stopped": "the last 2 cycles brought no proven gain"}))
    assert "Stopped after cycle 4: the last 2 cycles brought no proven gain." in outline(folder).text


def test_raft_samples_say_why_each_was_kept_or_dropped(raft_run: Path) -> None:
    text = outline(raft_run).text
    for label in ("Kept ·", "Dropped: reward below the threshold ·", "Highest reward", "Lowest reward"):
        assert text.count(label) >= 4, label
    assert "Write a C++ program that reads n and prints task" in text


def test_report_is_the_same_every_time(raft_run: Path) -> None:
    first = write_report(raft_run).read_bytes()
    assert write_report(raft_run).read_bytes() == first


def test_unfinished_run_shows_what_is_there(interrupted_run: Path) -> None:
    text = outline(interrupted_run).text
    assert "This run is not finished (stopped at a safe point" in text
    assert "So far: pass@1 is" in text
    assert "Last at work on: generate in cycle 2, 0 of 384." in text
    assert "Cycle 2 has drawn 72 completions, not counted yet." in text


def test_cycle_cut_off_after_its_selection_counts_as_far_as_it_came(interrupted_run: Path) -> None:
    cycles = interrupted_run / "cycles.jsonl"
    cycles.write_text(cycles.read_text().splitlines(keepends=True)[0])
    (interrupted_run / "rollouts" / "cycle_2.jsonl").unlink()
    text = outline(interrupted_run).text
    assert "Cycle 1 is not complete: its completions are drawn and selected." in text
    assert "Cycle 1 has drawn 192 completions to held-out prompts, not counted yet." in text
    assert "So far: pass@1 is" in text and "48 training prompts in cycle 1" in text


def test_killed_run_says_that_no_end_is_recorded(interrupted_run: Path) -> None:
    (interrupted_run / "exit.json").unlink()
    with (interrupted_run / "rollouts" / "cycle_2.jsonl").open("a") as torn:
        torn.write('{"cycle": 2, "chu')
    text = outline(interrupted_run).text
    assert "no end recorded: it is still running or was killed; the last event is of" in text
    assert "72 completions" in text


@pytest.mark.parametrize("kind", KINDS)
def test_run_that_has_only_begun_has_no_empty_chart(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    for name in ("summary.json", "exit.json", "events.jsonl", "cycles.jsonl", "prompts.jsonl", "config.yaml"):
        (folder / name).unlink(missing_ok=True)
    for name in ("rollouts", "kept"):
        shutil.rmtree(folder / name)
    page = outline(folder)
    assert "svg" not in page.tags
    assert "there is no result" in page.text
    assert "holds no config.yaml" in page.text


def test_summary_of_fewer_cycles_is_not_taken_for_the_result(raft_run: Path) -> None:
    events = raft_run / "events.jsonl"
    last = events.read_text().splitlines()[-1]
    (raft_run / "exit.json").unlink()
    more = (
        '{"v":1,"seq":9000,"t":1e9,"attempt":2,"type":"phase_started","cycle":5,"phase":"generate","m":{"total":384}}'
    )
    events.write_text(events.read_text().removesuffix(last + "\n") + more + "\n")
    text = outline(raft_run).text
    assert "This run is not finished" in text
    assert "So far: pass@1 is" in text


def test_hostile_text_stays_text(raft_run: Path, hostile: str) -> None:
    rollouts = raft_run / "rollouts" / "cycle_1.jsonl"
    lines = rollouts.read_text().splitlines()
    attacked = []
    for line in lines:
        head, _, tail = line.partition('"text":"')
        attacked.append(head + '"text":' + json.dumps(hostile) + "," + tail[tail.index('"token_ids"') :])
    rollouts.write_text("\n".join(attacked) + "\n")
    page = write_report(raft_run).read_text(encoding="utf-8")
    assert "<script>alert" not in page and "<img" not in page
    assert "&lt;script&gt;alert" in page
    assert "\x1b" not in page and "\u202e" not in page
    assert "\\u202e{{ 7 * 7 }}" in page
    assert 'href="https' not in page


def test_long_text_is_cut_with_a_note(benchmark_run: Path) -> None:
    rollouts = benchmark_run / "rollouts" / "sampled.jsonl"
    rollouts.write_text(rollouts.read_text().replace("#include", "x" * 5_000 + "#include"))
    text = outline(benchmark_run).text
    assert "Cut after 4,000 of" in text
    assert "the whole text is in rollouts/sampled.jsonl" in text


def test_sft_page(sft_run: Path) -> None:
    text = outline(sft_run).text
    assert "The loss a token went from" in text and "in 180 steps on 2,880 rows" in text
    assert "longer than max_length 31" in text
    assert "222,120" in text
    assert "says nothing of other prompts" in text


def test_benchmark_page(benchmark_run: Path) -> None:
    text = outline(benchmark_run).text
    assert "pass@1 is" in text and "on 60 prompts, 10 samples each at temperature 0.7; decoded greedily" in text
    for word in ("pass@10", "greedy pass@1", "unseen", "Hardest", "Easiest", "Ended in compile"):
        assert word in text, word


def test_settings_name_their_origin(benchmark_run: Path) -> None:
    text = outline(benchmark_run).text
    assert "temperature 0.7 default" in text
    assert "samples 10 flag" in text or "model acme/coder-0.5b flag" in text
    assert "bubblewrap" in text and "SHA-256" in text


def test_another_kind_of_run_gets_the_common_sections(sft_run: Path) -> None:
    launch = sft_run / "launch_context.json"
    launch.write_text(launch.read_text().replace('"kind": "sft"', '"kind": "other"'))
    text = outline(sft_run).text
    assert "has no figures of its own" in text and "Versions and inputs" in text


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no run"):
        write_report(tmp_path)


def test_broken_line_is_named(raft_run: Path) -> None:
    with (raft_run / "rollouts" / "cycle_1.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(DataError, match=r"cycle_1\.jsonl has a line that cannot be read"):
        write_report(raft_run)


def test_broken_summary_is_named(sft_run: Path) -> None:
    (sft_run / "summary.json").write_text("{}")
    with pytest.raises(DataError, match=r"summary\.json cannot be read"):
        write_report(sft_run)
