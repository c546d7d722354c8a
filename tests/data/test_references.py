"""The ground truth of HumanEval, MBPP and generic rows."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from halo_forge.core.errors import DataError
from halo_forge.core.types import IoCase, Prompt, Reference
from halo_forge.data import load_prompts

WriteRows = Callable[..., Path]
HUMANEVAL: dict[str, Any] = {
    "task_id": "HumanEval/900",
    "prompt": "def double(x: int) -> int:\n    '''Return twice x.'''\n",
    "canonical_solution": "    return 2 * x\n",
    "test": "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate(2) == 4\n",
    "entry_point": "double",
}
MBPP: dict[str, Any] = {
    "task_id": 900,
    "text": "Write a function to double a number.",
    "code": "def double(x):\r\n  return 2 * x",
    "test_list": ["assert double(2) == 4", "assert double(0) == 0"],
    "test_setup_code": "",
    "challenge_test_list": ["assert double(-1) == -2"],
}


@pytest.fixture
def load_row(write_rows: WriteRows) -> Callable[[dict[str, Any]], Prompt]:
    return lambda row: load_prompts(write_rows(row))[0]


LoadRow = Callable[[dict[str, Any]], Prompt]


def test_humaneval_row(load_row: LoadRow) -> None:
    prompt = load_row(HUMANEVAL)
    assert prompt.id == "HumanEval/900"
    assert prompt.reference == Reference(
        check=HUMANEVAL["test"], stub=HUMANEVAL["prompt"], entry_point="double", solution="    return 2 * x\n"
    )
    (message,) = prompt.messages
    assert message.content.startswith("Complete the Python function below.")
    assert f"```python\n{HUMANEVAL['prompt']}```" in message.content


def test_humaneval_row_with_messages_of_its_own_keeps_them(load_row: LoadRow) -> None:
    prompt = load_row({**HUMANEVAL, "prompt": [{"role": "user", "content": "Write double."}]})
    assert [message.content for message in prompt.messages] == ["Write double."]
    assert prompt.reference.stub == ""


def test_a_check_that_nobody_defines_is_refused(load_row: LoadRow) -> None:
    with pytest.raises(DataError, match=r"'test' must define check\(candidate\), as in HumanEval"):
        load_row({**HUMANEVAL, "test": "assert double(2) == 4"})


def test_mbpp_full_row(load_row: LoadRow) -> None:
    prompt = load_row({**MBPP, "test_setup_code": "import math"})
    assert prompt.id == "900"
    assert prompt.reference == Reference(
        asserts=("assert double(2) == 4", "assert double(0) == 0"), setup="import math", solution=MBPP["code"]
    )
    content = prompt.messages[0].content
    assert content.startswith("Write a function to double a number.\n")
    assert "assert double(2) == 4" in content
    assert "assert double(0) == 0" not in content


def test_mbpp_sanitized_row(load_row: LoadRow) -> None:
    row = {key: value for key, value in MBPP.items() if key not in ("text", "test_setup_code", "challenge_test_list")}
    prompt = load_row({**row, "prompt": "Double it.", "test_imports": ["import math", "import re"]})
    assert prompt.messages[0].content.startswith("Double it.\n")
    assert prompt.reference.setup == "import math\nimport re"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"test_list": []}, "'test_list' is empty; an MBPP row needs at least one assert"),
        ({"test_list": "assert double(2) == 4"}, "'test_list' must be a list of texts, not a text"),
        ({"test_list": ["assert double(2) == 4", " "]}, "'test_list' must list texts that are not blank"),
        ({"code": 3}, "'code' must be a text, not a number"),
        ({"text": None}, "no 'prompt' and no 'messages'"),
    ],
)
def test_faults_of_an_mbpp_row(load_row: LoadRow, change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as caught:
        load_row({**MBPP, **change})
    assert said in str(caught.value)


def test_generic_row(load_row: LoadRow) -> None:
    prompt = load_row(
        {
            "prompt": "Add.",
            "tests": ["assert(add(1, 2) == 3);"],
            "entry_point": "add",
            "setup": "int one = 1;",
            "solution": "int add(int a, int b) { return a + b; }",
            "difficulty": 3,
        }
    )
    assert prompt.messages[0].content == "Add."
    assert prompt.reference == Reference(
        asserts=("assert(add(1, 2) == 3);",),
        entry_point="add",
        setup="int one = 1;",
        solution="int add(int a, int b) { return a + b; }",
    )


def test_tests_as_one_text(load_row: LoadRow) -> None:
    reference = load_row({"prompt": "a", "setup": "N = 1", "tests": "import math\nassert f(1)\nassert f(2)"}).reference
    assert reference == Reference(asserts=("assert f(1)", "assert f(2)"), setup="N = 1\nimport math")


def test_tests_as_cases(load_row: LoadRow) -> None:
    tests = [{"input": "1 2\n", "output": "3\n", "type": "stdin"}, {"input": "", "output": ""}]
    assert load_row({"prompt": "a", "tests": tests}).reference.cases == (
        IoCase(input="1 2\n", output="3\n"),
        IoCase(input="", output=""),
    )


@pytest.mark.parametrize("listed", [False, True])
def test_test_functions_are_kept_whole_and_called_by_the_verifier(load_row: LoadRow, listed: bool) -> None:
    parts = ["def test_a():\n    assert f(1) == 2", "def test_b():\n    assert f(2) == 4"]
    reference = load_row({"prompt": "p", "tests": parts if listed else "\n\n".join(parts)}).reference
    assert (reference.check, reference.asserts) == ("\n\n".join(parts), ())


def test_tests_that_define_check_are_kept_whole(load_row: LoadRow) -> None:
    row = {"prompt": "a", "tests": HUMANEVAL["test"]}
    assert load_row({**row, "entry_point": "double"}).reference.check == HUMANEVAL["test"]
    with pytest.raises(DataError, match="so the row needs 'entry_point'"):
        load_row(row)


@pytest.mark.parametrize("tests", [None, []])
def test_no_tests(load_row: LoadRow, tests: Any) -> None:
    assert not load_row({"prompt": "a", "tests": tests}).reference.has_tests


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (
            3,
            "'tests' must be a list of asserts, one text with asserts, or a list of {'input', 'output'} objects, not a",
        ),
        ({"inputs": ["1"], "outputs": ["2"]}, "objects, not an object"),
        (["assert f(1)", 3], "'tests' must list texts that are not blank"),
        ([{"input": "1", "output": "2"}, "assert f(1)"], "tests[1] must be an object with 'input' and 'output' like"),
        ([{"input": "1"}], "tests[0].output must be a text, not null"),
        ([{"input": 1, "output": "2"}], "tests[0].input must be a text, not a number"),
        ("nothing to see", "the tests are neither Python nor C++ statements"),
    ],
)
def test_faults_of_tests(load_row: LoadRow, tests: Any, said: str) -> None:
    with pytest.raises(DataError) as caught:
        load_row({"prompt": "a", "tests": tests})
    assert said in str(caught.value)


def test_all_of_humaneval(shared_data: Path) -> None:
    prompts = load_prompts(shared_data / "humaneval.jsonl")
    assert len(prompts) == 164
    for prompt in prompts:
        reference = prompt.reference
        assert reference.check is not None
        assert reference.solution is not None
        assert reference.entry_point is not None
        defined = ast.parse(reference.stub + reference.solution).body
        assert reference.entry_point in {node.name for node in defined if isinstance(node, ast.FunctionDef)}
        assert reference.stub.strip("\n") in prompt.messages[0].content


def test_all_of_mbpp_train(shared_data: Path) -> None:
    prompts = load_prompts(shared_data / "mbpp_train.jsonl")
    assert len(prompts) == 187
    for prompt in prompts:
        assert len(prompt.reference.asserts) >= 3
        assert all(statement.lstrip().startswith("assert") for statement in prompt.reference.asserts)
        assert prompt.reference.asserts[0].strip() in prompt.messages[0].content
        assert "challenge" not in prompt.reference.setup


def test_prompts_without_tests_load_too(shared_data: Path) -> None:
    prompts = load_prompts(shared_data / "codeforces_cpp_sample.jsonl", max_prompts=9)
    assert len(prompts) == 9
    assert not any(prompt.reference.has_tests for prompt in prompts)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Sort with threads."},
        {"prompt": "Add.", "tests": "assert add(1, 2) == 3"},
        HUMANEVAL,
        MBPP,
        {"id": "x", "messages": [{"role": "user", "content": "Add."}], "reference": {"entry_point": "add"}},
    ],
)
def test_required_names_are_read_from_rows_of_every_form(load_row: LoadRow, row: dict[str, Any]) -> None:
    assert load_row({**row, "required": "std::thread"}).reference.required == ("std::thread",)
    assert load_row({**row, "required": ["a", "b"]}).reference.required == ("a", "b")
    assert load_row({**row, "required": None}).reference.required == ()


@pytest.mark.parametrize("value", ["", " ", [""], ["a", 1], 3, {"a": 1}])
def test_required_names_of_another_form_are_refused(load_row: LoadRow, value: object) -> None:
    with pytest.raises(DataError, match="'required' must"):
        load_row({"prompt": "Add.", "required": value})
