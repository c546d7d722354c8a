"""Methods of LiveCodeBench's classes, judged as rows of the catalogue ask for it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Prompt
from halo_forge.data.catalog.code import livecodebench_row
from halo_forge.sandbox import open_sandbox
from halo_forge.verifiers.python.config import PythonConfig
from halo_forge.verifiers.python.program import PythonVerifier

HEAD = "class Solution:\n    def double(self, values: List[int], word: str) -> List[int]:\n"
ANSWERS = {
    f"{HEAD}        return [2 * value for value in values]": True,
    "class Solution:\n    def double(self, values, word):\n        return tuple(2 * v for v in values)": True,
    "        return list(map(lambda value: value << 1, Counter(values).elements()))": True,
    f"{HEAD}        return values": False,
    "class Solution:\n    pass": False,
    f"class Any(list):\n    __eq__ = lambda *_: True\n    __hash__ = None\n{HEAD}        return Any()": False,
}


@pytest.fixture(scope="module")
def verifier() -> Iterator[PythonVerifier]:
    with open_sandbox() as sandbox:
        made = PythonConfig().build(sandbox, 1)
        yield made
        made.close()


@pytest.fixture(scope="module")
def prompt() -> Prompt:
    tests = [{"input": f'{given}\n"a"', "output": wanted, "testtype": "functional"} for given, wanted in
             (("[1, 2]", "[2, 4]"), ("[]", "[]"))]  # fmt: skip
    row = livecodebench_row(
        {
            "question_content": "Double each.",
            "starter_code": f"{HEAD}        ",
            "metadata": '{"func_name": "double"}',
            "public_test_cases": json.dumps(tests),
        },
        "1",
    )
    assert row is not None
    return row


@pytest.mark.parametrize(("answer", "right"), ANSWERS.items())
def test_a_method_is_judged(verifier: PythonVerifier, prompt: Prompt, answer: str, right: bool) -> None:
    [verdict] = verifier.verify([Submission(prompt, f"```python\n{answer}\n```")])
    assert verdict.fault is None and verdict.passed is right
