"""`halo-forge verify` as a person uses it; the compiler and the sandbox are real."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from halo_forge.cli.app import run

DOUBLE = "int f(int n) { return 2 * n; }"


@pytest.fixture
def rows(write_jsonl: Callable[..., Path]) -> Path:
    task = {"prompt": "double n", "tests": ["assert(f(2) == 4);"], "entry_point": "f"}
    return write_jsonl(
        "in.jsonl",
        {"id": "a", **task, "completion": DOUBLE},
        {"id": "b", **task, "completion": "int f(int n) { return n; }"},
        {"id": "c", **task, "completion": "int f(int n) { return n }"},
        {"id": "d", **task, "completion": f"```cpp\n{DOUBLE}\n```"},
    )


def test_a_file(rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.jsonl"
    assert run(["verify", str(rows), "--verifier", "gcc", "--output", str(output)]) == 0
    verdicts = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(v["id"], v["passed"], v["stage"]) for v in verdicts] == [
        ("a", True, "tests"),
        ("b", False, "tests"),
        ("c", False, "compile"),
        ("d", True, "tests"),
    ]
    said = capsys.readouterr()
    assert re.search(r"passed everything +2  \(50\.0%\)", said.out)
    assert re.search(r"did not compile +1  \(25\.0%\)", said.out)
    assert "4 judged, 0 from the cache" in said.out
    assert "verify: done in" in said.err
    assert run(["verify", str(rows), "--verifier", "gcc", "--output", str(output), "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["counts"]["by_stage"] == {"passed": 2, "tests": 1, "compile": 1}
    assert "nothing had to be done" in said.err


@pytest.mark.parametrize(
    ("program", "code", "words"),
    [
        (DOUBLE, 0, ["passed", "reward", "1 "]),
        ("int f(int n) { return n }", 1, ["not passed", "compile", "expected ';'"]),
    ],
)
def test_one_program(
    program: str, code: int, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "program.cpp").write_text(program)
    (tmp_path / "tests.txt").write_text("assert(f(2) == 4);\nassert(f(0) == 0);")
    assert run(["verify", str(tmp_path / "program.cpp"), "--tests", str(tmp_path / "tests.txt")]) == code
    out = capsys.readouterr().out
    assert all(word in out for word in words)


@pytest.mark.parametrize(
    "tests",
    [
        '[{"input": "2", "output": "4"}]',
        '{"tests": [{"input": "2", "output": "4"}, {"input": "0", "output": "0"}]}',
    ],
)
def test_one_program_from_standard_input(
    tests: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = b"#include <iostream>\nint main() { int n; std::cin >> n; std::cout << 2 * n; }"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(program)))
    (tmp_path / "tests.json").write_text(tests)
    assert run(["verify", "-", "--tests", str(tmp_path / "tests.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reward"] == 1.0


@pytest.mark.usefixtures("scripted")
def test_a_fault_is_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "program").write_text("raise")
    assert run(["verify", str(tmp_path / "program"), "--verifier", "scripted", "--sandbox", "limits"]) == 3
    out = capsys.readouterr().out
    assert "could not be verified" in out and "no more processes" in out


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize(
    ("texts", "allowed", "code"),
    [
        (["raise"], "0.05", 4),
        (["raise"], "0.99", 4),
        (["right", "raise"], "0.05", 4),
        (["right", "raise"], "0.5", 0),
        (["raise"], "1", 0),
        (["right", "wrong"], "0", 0),
    ],
)
def test_a_short_file_that_could_not_be_verified_is_no_success(
    texts: list[str], allowed: str, code: int, write_jsonl: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_jsonl("in.jsonl", *({"id": str(i), "completion": text} for i, text in enumerate(texts)))
    output = source.with_name("out.jsonl")
    command = ["verify", str(source), "--verifier", "scripted", "--sandbox", "limits", "--output", str(output)]
    for _ in range(2):  # the second time every row has its verdict already
        assert run([*command, "--max-fault-rate", allowed, "--json"]) == code
        said = capsys.readouterr()
        assert json.loads(said.out)["counts"]["rows"] == len(texts) == len(output.read_text().splitlines())
        assert (f"1 of {len(texts)} completions could not be verified" in said.err) == (code == 4)
        assert ("give another --output" in said.err) == (code == 4)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["rows.jsonl"], "rows.jsonl holds rows: give --output"),
        (["-", "--output", "o.jsonl"], "rows cannot come from standard input"),
        (["absent.cpp"], "there is no file absent.cpp"),
        (["absent.jsonl", "--output", "o.jsonl"], "there is no file absent.jsonl"),
        (["rows.jsonl", "--output", "o.jsonl", "--entry-point", "f"], "--tests and --entry-point are for one program"),
        (["rows.jsonl", "--output", "o.jsonl", "--verifier", "gc"], "unknown verifier 'gc': did you mean 'gcc'?"),
        (["rows.jsonl", "--output", "rows.jsonl"], "is the file of rows itself"),
        (["one.cpp", "--tests", "broken.json"], "broken.json is not JSON"),
        (["one.cpp", "--tests", "empty.txt"], "the tests of the program: the tests are neither"),
        (["latin.cpp"], "latin.cpp is not UTF-8 (byte 1)"),
        (["rows.jsonl", "--output", "o.jsonl"], "rows.jsonl, line 2: not JSON"),
    ],
)
def test_a_mistake_is_one_line(
    args: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text('{"prompt": "p", "completion": "int x;"}\n{"prompt"\n')
    Path("one.cpp").write_text(DOUBLE)
    Path("latin.cpp").write_bytes(b"\xe9")
    Path("broken.json").write_text("{")
    Path("empty.txt").write_text("int x;")
    assert run(["verify", *args]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    errors = [line for line in said.err.splitlines() if line.startswith("halo-forge: error: ")]
    assert len(errors) == 1 and message in errors[0]


def test_without_anything_it_says_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify"]) == 2
    assert "Missing argument 'IN'" in capsys.readouterr().err


def test_a_reader_of_rows_can_pipe_the_summary(rows: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "halo_forge", "verify", str(rows), "--output", str(tmp_path / "o.jsonl"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["counts"]["rows"] == 4
