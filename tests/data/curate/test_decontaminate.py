"""Every planted problem is found, whatever was changed around it, and rows that hold none are left alone."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from halo_forge.config.curate import DecontaminateConfig
from halo_forge.core.errors import ConfigError
from halo_forge.core.events import EventLog
from halo_forge.data.curate.benchmarks import load_benchmark
from halo_forge.data.curate.contamination import read_checks
from halo_forge.data.curate.decontaminate import DecontaminateSummary, decontaminate_file
from halo_forge.data.curate.overlap import OverlapIndex
from halo_forge.data.sidecar import Counts, Sidecar, hash_content, read_sidecar, write_sidecar

WriteRows = Callable[..., Path]


def clean(path: Path, *against: Path | str, **settings: Any) -> DecontaminateSummary:
    config = DecontaminateConfig(against=tuple(map(str, against)), output=path.with_name("clean.jsonl"), **settings)
    return decontaminate_file(path, config, EventLog())


def hits(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.with_name("clean.jsonl.hits.jsonl").read_text().splitlines()]


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def planted(humaneval: list[dict[str, Any]], mbpp: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows that hold a problem each, by the problem's id: as published, wrapped, in another case, as a solution."""
    rng = random.Random(0)
    found: dict[str, dict[str, Any]] = {}
    for number, task in enumerate(humaneval):
        text = task["prompt"]
        if number % 3 == 1:
            text = f"Dear model, please\n{text.upper()}\nand be quick."
        elif number % 3 == 2:
            text = text.replace("\n", " \r\n ").replace(",", " , ")
        row = {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "Sure."}]}
        found[task["task_id"]] = row
    for task in mbpp:
        asked = f"{rng.choice(['Hi! ', ''])}{task['text']}"
        if len(task["text"].split()) >= 8:
            found[str(task["task_id"])] = {"instruction": asked, "input": "", "output": "pass"}
    return found


def test_all_that_is_planted_is_found_and_nothing_else(shared_data: Path, tmp_path: Path) -> None:
    humaneval, mbpp = shared_data / "humaneval.jsonl", shared_data / "mbpp_train.jsonl"
    innocent = rows_of(shared_data / "codeforces_cpp_sample.jsonl")
    assert len(innocent) == 250
    guilty = planted(rows_of(humaneval), rows_of(mbpp))
    mixed = [(None, row) for row in innocent] + list(guilty.items())
    random.Random(1).shuffle(mixed)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for _, row in mixed))
    summary = clean(path, humaneval, mbpp)
    found: dict[int, set[str]] = {}
    for hit in hits(path):
        found.setdefault(hit["line"], set()).add(hit["item"])
    expected = {line: item for line, (item, _) in enumerate(mixed, start=1) if item is not None}
    assert {line: item for line, item in expected.items() if item not in found.get(line, ())} == {}
    assert found.keys() - expected.keys() == set()
    assert summary.kept == len(innocent) == len(rows_of(tmp_path / "clean.jsonl"))
    # A row that holds one problem seldom holds another: only where two problems share their words.
    assert sum(len(items) > 1 for items in found.values()) < 0.06 * len(found)


def test_a_changed_word_here_and_there_hides_nothing(shared_data: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    tasks = [task for task in rows_of(shared_data / "humaneval.jsonl") if prose(task) > 30]
    assert len(tasks) > 80
    path = tmp_path / "rows.jsonl"
    with path.open("w") as file:
        for task in tasks:
            words = task["prompt"].split()
            for place in range(rng.randrange(12), len(words), 40):
                words[place] = "something"
            file.write(json.dumps({"prompt": " ".join(words)}) + "\n")
    clean(path, shared_data / "humaneval.jsonl")
    found = {(hit["line"], hit["item"]) for hit in hits(path)}
    missed = [task["task_id"] for line, task in enumerate(tasks, 1) if (line, task["task_id"]) not in found]
    assert missed == []


def prose(task: dict[str, Any]) -> int:
    """Words of letters; in a problem that is mostly numbers a changed word leaves little to know it by."""
    return sum(word.isalpha() for word in task["prompt"].split())


def test_solutions_are_found_in_answers(shared_data: Path, tmp_path: Path) -> None:
    tasks = [row for row in rows_of(shared_data / "humaneval.jsonl") if len(row["canonical_solution"].split()) > 30]
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(json.dumps({"prompt": "Solve it.", "completion": task["canonical_solution"]}) + "\n" for task in tasks)
    )
    summary = clean(path, shared_data / "humaneval.jsonl")
    assert summary.kept == 0 and {hit["kind"] for hit in hits(path)} == {"near solution"}
    found = {(hit["line"], hit["item"]) for hit in hits(path)}
    expected = {(line, task["task_id"]) for line, task in enumerate(tasks, start=1)}
    assert expected <= found
    # Two solutions share a function of their own.
    (line,) = [line for line, task in enumerate(tasks, start=1) if task["task_id"] == "HumanEval/108"]
    assert found - expected == {(line, "HumanEval/145")}


def test_our_own_words_around_a_problem_are_no_overlap(shared_data: Path, write_jsonl: WriteRows) -> None:
    row = {
        "task_id": "Own/1",
        "prompt": "def frobnicate(x):\n",
        "test": "def check(c):\n    assert c(1)",
        "entry_point": "f",
    }
    ours = write_jsonl("ours.jsonl", row)
    from halo_forge.data import load_prompts

    path = write_jsonl("rows.jsonl", load_prompts(ours)[0].model_dump(mode="json"))
    assert clean(path, shared_data / "humaneval.jsonl", shared_data / "mbpp_train.jsonl").kept == 1


@pytest.mark.parametrize(
    ("problem", "row", "kind"),
    [
        ("add two numbers", "Add two numbers!", "whole"),
        ("add two numbers", "Please add two numbers.", None),
        ("find the perimeter of a square with side a", "Now find the perimeter of a square with side a.", "whole"),
        ("find the perimeter of a square with side a", "find the perimeter of a square with side b", None),
        ("1 2 3 4 5 6 7 8 9 10 11 12 13 14", "count: 1 2 3 4 5 6 7 8 9 10 11 12 13", None),
        ("a b c d e f g h i j k l m n", "x b c d e f g h i j k l m n", "gram"),
        ("a b c d e f g h i j k l m n", "x b c d e f g h i j k x m n", None),
    ],
)
def test_short_problems_and_runs_of_numbers(write_jsonl: WriteRows, problem: str, row: str, kind: str | None) -> None:
    path = write_jsonl("rows.jsonl", {"prompt": row}, {"prompt": "something else"})
    clean(path, write_jsonl("bench.jsonl", {"prompt": problem}))
    assert [hit["kind"] for hit in hits(path)] == ([kind] if kind else [])


def test_a_turn_of_phrase_of_many_problems_is_no_overlap(write_jsonl: WriteRows) -> None:
    phrase = "write a program that reads its input from the standard input and prints the"
    bench = write_jsonl("bench.jsonl", *({"prompt": f"{phrase} {word * 3}"} for word in "abcdefghijklm"))
    path = write_jsonl("rows.jsonl", {"prompt": f"{phrase} weather"}, {"prompt": f"{phrase} aaa"})
    clean(path, bench)
    assert [(hit["line"], hit["item"]) for hit in hits(path)] == [(2, "line-1")]


def test_suspects_leave_out_no_text_that_has_hits(shared_data: Path) -> None:
    index = OverlapIndex([load_benchmark(str(shared_data / "mbpp_train.jsonl"))])
    texts = [str(row["text"]) + "\n" + str(row["code"]) for row in rows_of(shared_data / "mbpp_train.jsonl")]
    texts += [text[: len(text) // 2] for text in texts]
    suspected = index.suspects(texts)
    for text, suspect in zip(texts, suspected.tolist(), strict=True):
        assert suspect or not index.hits(text, "")


def test_processes_change_nothing(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes((shared_data / "mbpp_train.jsonl").read_bytes())
    one = clean(path, shared_data / "mbpp_train.jsonl", processes=1)
    first = hits(path)
    assert clean(path, shared_data / "mbpp_train.jsonl", processes=2) == one and hits(path) == first


def test_what_was_found_is_recorded_beside_both_files(write_jsonl: WriteRows) -> None:
    problem = "find the perimeter of a square with side a"
    path = write_jsonl("rows.jsonl", {"prompt": problem}, {"prompt": "else"}, {"prompt": "other"})
    bench, other = write_jsonl("bench.jsonl", {"prompt": problem}), write_jsonl("other.jsonl", {"prompt": "x"})
    made = Sidecar(
        made_by="data prepare", source="a/b", licence="mit", sha256=hash_content(path), counts=Counts(read=5, kept=3)
    )
    write_sidecar(path, made)
    clean(path, bench)
    clean(path, bench, other)
    cleaned = path.with_name("clean.jsonl")
    checks = read_checks(path, hash_content(path))
    assert [(check.against, check.rows, check.left) for check in checks] == [
        ("bench.jsonl", 3, 1),
        ("other.jsonl", 3, 0),
    ]
    assert checks[0].sha256 == load_benchmark(str(bench)).sha256
    assert [check.left for check in read_checks(cleaned, hash_content(cleaned))] == [0, 0]
    beside = read_sidecar(cleaned)
    assert beside is not None and (beside.source, beside.licence, beside.counts.kept) == ("a/b", "mit", 2)
    assert read_sidecar(path) == made.model_copy(update={"contamination": beside_of(path).contamination})
    path.write_text(path.read_text() + '{"prompt": "new"}\n')
    assert read_checks(path, hash_content(path)) == ()


def beside_of(path: Path) -> Sidecar:
    sidecar = read_sidecar(path)
    assert sidecar is not None
    return sidecar


def test_a_name_that_is_nothing_lists_what_there_is(write_jsonl: WriteRows) -> None:
    path = write_jsonl("rows.jsonl", {"prompt": "a"})
    with pytest.raises(ConfigError, match=r"--against 'humanevil': there is no such file; did you mean .humaneval.\?"):
        clean(path, "humanevil")
    assert not path.with_name("clean.jsonl").exists()
