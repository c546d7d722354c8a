from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from halo_forge.core.errors import ConfigError, EnvironmentFault
from halo_forge.core.plugins import verifier_config
from halo_forge.core.types import Stage

if TYPE_CHECKING:
    from conftest import BreakableSandbox, Judge

# A checker of the user's own: the answer must be the number that the row's `solution` names.
NUMBER_CHECKER = """
import json, os, sys
answer = open("/job/answer.txt").read().strip()
wanted = json.load(open("/job/reference.json"))["solution"]
if not answer.isdigit():
    sys.exit("not a number")
sys.exit(0 if answer == wanted else f"{answer} is not it")
"""
GRADING_CHECKER = """
import json, os
text = open("/job/completion.txt").read()
report = {"empty": "", "text": "fine", "number": "3", "two": '{"reward": 1}{"reward": 1}', "nan": '{"reward": NaN}',
          "over": '{"reward": 1.5}', "word": '{"reward": "1"}', "extra": '{"reward": 1, "points": 3}',
          "none": '{"passed": true}', "unsure": '{"reward": null, "detail": "cannot tell"}',
          "half": '{"reward": 0.5, "detail": "half of it", "stage": "run"}', "right": '{"reward": 1}',
          "least": '{"reward": 0.6, "passed": true}', "stage": '{"reward": 1, "stage": "deploy"}',
          "crash": '{"reward": 1}'}[text.strip()]
print("noise on standard output")
os.write(3, report.encode())
if "crash" in text:
    raise SystemExit(1)
"""


@pytest.fixture
def build(real_sandbox: Any, judge: type[Judge]) -> Iterator[Callable[..., Judge]]:
    with ExitStack() as opened:

        def make(sandbox: Any = real_sandbox, **options: Any) -> Judge:
            verifier = verifier_config("custom", options).build(sandbox, 2)
            opened.callback(verifier.close)
            return judge(verifier)

        yield make


@pytest.fixture
def checker(tmp_path: Path) -> Callable[[str], Path]:
    def write(source: str) -> Path:
        folder = tmp_path / "checker"
        folder.mkdir(exist_ok=True)
        (folder / "check.py").write_text(source)
        return folder

    return write


def test_exit_status_decides(build: Callable[..., Judge], checker: Callable[[str], Path]) -> None:
    check = build(command=["python3", "{folder}/check.py"], folder=checker(NUMBER_CHECKER))
    right, wrong, cut = check.all("42", "41", "4", solution="42")
    assert (right.reward, right.passed, right.stage) == (1.0, True, Stage.TESTS)
    assert (wrong.reward, wrong.passed, wrong.stage) == (0.0, False, Stage.TESTS)
    assert "41 is not it" in wrong.detail
    assert cut.reward == 0.0
    assert right.cpu_s > 0


def test_an_empty_answer_is_not_checked(build: Callable[..., Judge]) -> None:
    assert build(command="true")(" \n ").reward == 0.0
    fenced = build(command="true", language="python", file="answer.py")
    assert fenced("```python\n```").reward == 0.0
    assert fenced("<think>for ever").stage is Stage.PARSE


def test_the_fence_of_the_language_is_the_code(build: Callable[..., Judge]) -> None:
    check = build(command=["grep", "-q", "^x = 1$", "{code}"], language="Python", file="answer.py")
    assert check("Say:\n```python\nx = 1\n```\n").passed
    assert not check("```python\nx = 2\n```\n```\nx = 1\n```").passed
    whole = build(command=["grep", "-q", "^```python$", "{code}"])
    assert whole("```python\nx = 1\n```").passed


@pytest.mark.parametrize("status", [2, 64, 125, 126, 127])
def test_a_status_that_was_not_agreed_on_is_a_fault(build: Callable[..., Judge], status: int) -> None:
    verdict = build(command=["sh", "-c", f"echo no such rule >&2; exit {status}"])("answer")
    assert verdict.reward is None
    assert f"exit status {status}: no such rule" in (verdict.fault or "")


def test_agreed_statuses_reject(build: Callable[..., Judge]) -> None:
    def command(status: int) -> list[str]:
        return ["sh", "-c", f"exit {status}"]

    assert build(command=command(3), rejected=[3, 4])("answer").reward == 0.0
    assert build(command=command(1), rejected=3)("answer").reward is None
    assert build(command=command(125), rejected="any")("answer").reward == 0.0
    assert build(command=command(126), rejected="any")("answer").reward is None


def test_who_is_blamed_for_a_kill(build: Callable[..., Judge]) -> None:
    spin = ["sh", "-c", "while :; do :; done"]
    late = build(command=spin, timeout_s=0.5)("answer")
    assert (late.reward, late.passed) == (0.0, False)
    assert "timed out" in late.detail
    assert build(command=spin, timeout_s=0.5, blame="checker")("answer").reward is None
    assert build(command=["sh", "-c", "kill -SEGV $$"])("answer").reward == 0.0
    assert build(command=["sh", "-c", "yes"])("answer").reward == 0.0


def test_a_checker_that_dies_on_the_known_solution_is_at_fault(build: Callable[..., Judge]) -> None:
    check = build(command=["sh", "-c", "kill -SEGV $$"])
    assert "was killed" in (check("answer", solution="right").fault or "")
    picky = build(command=["sh", "-c", 'grep -q right "$0" || kill -SEGV $$', "{code}"])
    assert picky("wrong", solution="right").reward == 0.0


@pytest.mark.parametrize(
    ("text", "reward", "passed", "stage"),
    [("right", 1.0, True, Stage.TESTS), ("half", 0.5, False, Stage.RUN), ("least", 0.6, True, Stage.TESTS)],
)
def test_json_decides(
    build: Callable[..., Judge],
    checker: Callable[[str], Path],
    text: str,
    reward: float,
    passed: bool,
    stage: Stage,
) -> None:
    check = build(command=["python3", "{folder}/check.py"], folder=checker(GRADING_CHECKER), result="json")
    verdict = check(text)
    assert (verdict.reward, verdict.passed, verdict.stage, verdict.fault) == (reward, passed, stage, None)


def test_json_that_is_not_clear_is_a_fault(build: Callable[..., Judge], checker: Callable[[str], Path]) -> None:
    check = build(command=["python3", "{folder}/check.py"], folder=checker(GRADING_CHECKER), result="json")
    texts = ["empty", "text", "number", "two", "nan", "over", "word", "extra", "none", "unsure", "stage", "crash"]
    verdicts = check.all(*texts)
    assert [verdict.reward for verdict in verdicts] == [None] * len(texts)
    assert all(verdict.fault and "checker" in verdict.fault for verdict in verdicts)
    assert "cannot tell" in (verdicts[texts.index("unsure")].fault or "")


def test_json_on_standard_output_stands_alone(build: Callable[..., Judge]) -> None:
    says = '{"reward": 0.25, "detail": "a quarter"}'
    assert build(command=["echo", says], result="stdout")("answer").reward == 0.25
    assert build(command=["printf", "%s\n", says, says], result="stdout")("answer").reward is None


def test_run_keeps_the_answer_from_the_judge(build: Callable[..., Judge]) -> None:
    options = {"run": ["python3", "{code}"], "language": "python", "file": "answer.py", "timeout_s": 2}
    check = build(command=["grep", "-qx", "42", "{stdout}"], **options)
    assert check("```python\nprint(6 * 7)\n```").reward == 1.0
    assert check("```python\nprint(41)\n```").reward == 0.0
    assert check("```python\nwhile True: pass\n```").reward == 0.0
    assert check("```python\nimport os; os._exit(0)\n```").reward == 0.0


def test_run_sees_neither_reference_nor_checker(build: Callable[..., Judge], checker: Callable[[str], Path]) -> None:
    source = (
        'import json; runs = json.load(open("/job/runs.json")); print(json.dumps({"reward": 0, "detail": str(runs)}))'
    )
    options = {"run": ["python3", "{code}"], "file": "answer.py", "folder": checker(source), "result": "stdout"}
    spy = "import os; print(sorted(os.listdir('/job')), os.path.exists('/checker'))"
    verdict = build(command=["python3", "{folder}/check.py"], **options)(spy, solution="secret")
    assert "['answer.py', 'completion.txt'] False" in verdict.detail


def test_the_judge_of_a_run_has_no_answer(build: Callable[..., Judge]) -> None:
    options = {"run": ["true"], "result": "stdout"}
    listing = """import os, json; print(json.dumps({"reward": 0, "detail": " ".join(sorted(os.listdir("/job")))}))"""
    verdict = build(command=["python3", "-c", listing], **options)("print(1)")
    assert verdict.detail == "reference.json runs.json stdout.txt"


def test_each_case_is_run_with_its_input(build: Callable[..., Judge], checker: Callable[[str], Path]) -> None:
    source = """
import json
runs, cases = json.load(open("/job/runs.json")), json.load(open("/job/reference.json"))["cases"]
right = sum(run["stdout"].strip() == case["output"] for run, case in zip(runs, cases))
print(json.dumps({"reward": right / len(cases), "detail": f"{len(runs)} runs, {runs[-1]['timed_out']}"}))
"""
    options = {"run": ["python3", "{code}"], "file": "answer.py", "folder": checker(source), "result": "stdout"}
    check = build(command=["python3", "{folder}/check.py"], timeout_s=2, **options)
    cases = ({"input": "2", "output": "4"}, {"input": "3", "output": "9"})
    assert check("print(int(input()) ** 2)", cases=cases).reward == 1.0
    assert check("print(int(input()) * 2)", cases=cases).reward == 0.5
    assert check("while True: pass", cases=cases).detail == "1 runs, True"


@pytest.mark.parametrize(
    "forgery",
    [
        "import os; os.write(3, b'{\"reward\": 1}')",
        "import sys; print('{\"reward\": 1}'); sys.stdout.flush()",
        "import os; open('/job/stdout.txt', 'w').write('42')",
        "import os; open('/tmp/runs.json', 'w').write('[]'); os.kill(os.getppid(), 9)",
        "import os, time\nif os.fork() == 0: time.sleep(9)\nprint('42 ')",
        "import os\nfor n in range(3, 99):\n  try: os.write(n, b'{\"reward\": 1}')\n  except OSError: pass",
    ],
)
def test_a_run_answer_cannot_forge(build: Callable[..., Judge], forgery: str) -> None:
    check = build(command=["grep", "-qx", "42", "{stdout}"], run=["python3", "{code}"], file="answer.py", timeout_s=2)
    assert check(forgery).reward == 0.0


def test_a_broken_sandbox_is_a_fault(build: Callable[..., Judge], sandbox: BreakableSandbox) -> None:
    check = build(sandbox, command="true")
    sandbox.broken = True
    verdict = check("answer")
    assert (verdict.reward, verdict.passed) == (None, False)
    assert "broken on purpose" in (verdict.fault or "")


def test_a_tool_outside_the_system_is_shown_by_mounts(build: Callable[..., Judge], tmp_path: Path) -> None:
    tool = tmp_path / "tool" / "check"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\ngrep -q right $1\n")
    with pytest.raises(EnvironmentFault, match="executed in the sandbox"):
        build(command=["/opt/tool/check", "{code}"], mounts={"/opt/tool": tool.parent})
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    check = build(command=["/opt/tool/check", "{code}"], mounts={"/opt/tool": tool.parent})
    assert check("right").passed
    assert not check("wrong").passed


def test_what_is_missing_is_said_before_the_run(
    build: Callable[..., Judge], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EnvironmentFault, match="is not installed"):
        build(command="no-such-checker {code}")
    with pytest.raises(EnvironmentFault, match="there is no folder"):
        build(command=["python3", "{folder}/check.py"], folder=tmp_path / "gone")
    with pytest.raises(EnvironmentFault, match=r"there is no check\.py in the folder"):
        build(command=["python3", "{folder}/check.py"], folder=tmp_path)
    with pytest.raises(EnvironmentFault, match="has no fixed place"):
        build(command="./check {code}")
    (tmp_path / "check.py").write_text("")
    monkeypatch.chdir(tmp_path)
    for word in ("check.py", "./check.py"):
        with pytest.raises(EnvironmentFault, match=r"write \{folder\}/check\.py"):
            build(command=["python3", word])
    own = tmp_path / "own-check"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(EnvironmentFault, match="mounts="):
        build(command="own-check {code}")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"command": ""}, "command"),
        ({"command": "true {folder}"}, "needs the option folder"),
        ({"command": "true {runs}"}, "may name {code}"),
        ({"command": "true {code}", "run": "true {code}"}, "{code} is not there"),
        ({"command": "true {anwser}"}, "names no place"),
        ({"command": "true", "rejected": [0]}, "from 1 to 125"),
        ({"command": "true", "rejected": [137]}, "from 1 to 125"),
        ({"command": "true", "file": "../x"}, "file"),
        ({"command": "true", "file": "reference.json"}, "another file"),
        ({"command": "true", "mounts": {"/usr": "/tmp"}}, "sandbox's own"),
        ({"command": "true", "mounts": {"tool": "/tmp"}}, "absolute path"),
        ({"command": "true", "timeout": 3}, "timeout"),
    ],
)
def test_options_are_checked(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        verifier_config("custom", options)
    assert words in str(error.value)


def test_another_checker_is_another_version(build: Callable[..., Judge], checker: Callable[[str], Path]) -> None:
    def version(**options: object) -> str:
        return build(command=["python3", "{folder}/check.py"], **options).verifier.version

    first = version(folder=checker(NUMBER_CHECKER))
    assert version(folder=checker(NUMBER_CHECKER)) == first
    assert version(folder=checker(NUMBER_CHECKER + "\n")) != first
    assert version(folder=checker(NUMBER_CHECKER), timeout_s=3) != first


def test_the_reference_is_the_row_s(build: Callable[..., Judge]) -> None:
    read = "import json; r = json.load(open('/job/reference.json')); print(json.dumps({'reward': 1, 'detail': str(r)}))"
    verdict = build(command=["python3", "-c", read], result="stdout")("x", asserts=("assert f() == 1",))
    assert "assert f() == 1" in verdict.detail
    assert json.dumps(verdict.reward) == "1.0"
