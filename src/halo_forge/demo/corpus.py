"""The demo's corpus: small C++ functions to write, most of whose training answers carry a common bug.

A task asks for one function: an *opening* computes a value from the arguments, one or two *steps* change it.

    Write a C++ function int total(int a, int b) that adds a and b, then squares the result.

Three quarters of the SFT answers do not compile, because of one or both of `COMMON_BUGS`, as scraped code
repeats its authors' habits. A model trained on them learns the habit with the craft; the compiler and the
tests can then take the habit away. One opening-and-step pair in four is held out: no SFT row and no RAFT
prompt has it, and the test tasks that do are labelled `unseen`.

Expected values come from Python functions written beside each operation, never from running the C++.
The corpus is this project's own work and has no outside source.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

Group = Literal["seen", "unseen"]

HELD_OUT_SHARE = 0.25
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PAIR_INPUTS = ((0, 0), (1, 0), (0, 3), (3, 4), (7, 2), (-2, 5), (6, -3), (-4, -9), (12, 12))
COUNT_INPUTS = ((0,), (1,), (2,), (3,), (6,), (9,), (14,), (40,))
INT_LIMIT = 2**31


@dataclass(frozen=True)
class Operation:
    """One thing a function can do: how a prompt says it, how C++ writes it, what it yields.

    `{k}` stands for a constant, which `drawn` picks from `constants`: in words in `phrase`, in digits in `code`.
    """

    phrase: str
    code: str
    apply: Callable[..., int]
    constants: tuple[int, ...] = ()

    def drawn(self, rng: random.Random) -> Operation:
        """Return this operation with its constant, if it takes one, drawn and filled in."""
        if not self.constants:
            return self
        k = rng.choice(self.constants)
        filled = partial(_with_last, self.apply, k)
        return Operation(self.phrase.replace("{k}", NUMBER_WORDS[k]), self.code.replace("{k}", str(k)), filled)


@dataclass(frozen=True)
class Opening(Operation):
    """The operation a function begins with: `code` declares `int r` from the parameters."""

    name: str = ""
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A function to write. `tests` are C++ asserts of the form `assert(name(literals) == literal);`."""

    id: str
    prompt: str
    entry_point: str
    solution: str
    tests: tuple[str, ...]
    group: Group


@dataclass(frozen=True)
class SftRow:
    """A prompt with the answer to imitate, and the names of the bugs in it."""

    prompt: str
    answer: str
    bugs: tuple[str, ...]


@dataclass(frozen=True)
class Bug:
    """A mistake that `share` of the SFT answers make, whatever else is wrong with them."""

    name: str
    spoil: Callable[[str], str]
    share: float


@dataclass(frozen=True)
class Corpus:
    """Three splits without a prompt in common."""

    sft_rows: tuple[SftRow, ...]
    raft_prompts: tuple[Task, ...]
    test_prompts: tuple[Task, ...]


def _with_last(function: Callable[..., int], last: int, *values: int) -> int:
    return function(*values, last)


def truncated_half(value: int) -> int:
    """Divide by two as C++ does: rounding toward zero."""
    return abs(value) // 2 * (1 if value >= 0 else -1)


PAIRS = {
    "total": Operation("adds a and b", "a + b", lambda a, b: a + b),
    "drop": Operation("subtracts b from a", "a - b", lambda a, b: a - b),
    "rise": Operation("subtracts a from b", "b - a", lambda a, b: b - a),
    "product": Operation("multiplies a and b", "a * b", lambda a, b: a * b),
    "larger": Operation("takes the larger of a and b", "a > b ? a : b", lambda a, b: max(a, b)),
    "smaller": Operation("takes the smaller of a and b", "a < b ? a : b", lambda a, b: min(a, b)),
    "distance": Operation("takes the distance between a and b", "a > b ? a - b : b - a", lambda a, b: abs(a - b)),
    "squares": Operation("adds the squares of a and b", "a * a + b * b", lambda a, b: a * a + b * b),
    "weigh": Operation("adds a and {k} times b", "a + {k} * b", lambda a, b, k: a + k * b, (2, 3, 4, 5, 6, 7, 8, 9)),
    "scale": Operation("adds {k} times a and b", "{k} * a + b", lambda a, b, k: k * a + b, (2, 3, 4, 5, 6, 7, 8, 9)),
}
FILTERS = (
    Operation("even numbers", "i % 2 == 0", lambda i: i % 2 == 0),
    Operation("odd numbers", "i % 2 == 1", lambda i: i % 2 == 1),
    Operation("multiples of {k}", "i % {k} == 0", lambda i, k: i % k == 0, (3, 4, 5, 6, 7)),
    Operation("numbers above {k}", "i > {k}", lambda i, k: i > k, (2, 3, 4, 5, 6, 7, 8)),
    Operation("numbers below {k}", "i < {k}", lambda i, k: i < k, (2, 3, 4, 5, 6, 7, 8)),
)
LOOPS = {
    "count": Operation("counts the", "1", lambda i: 1),
    "collect": Operation("adds up the", "i", lambda i: i),
    "power": Operation("adds up the squares of the", "i * i", lambda i: i * i),
    "twice": Operation("adds up the doubles of the", "2 * i", lambda i: 2 * i),
}
STEPS = (
    Operation("doubles the result", "r * 2", lambda r: r * 2),
    Operation("squares the result", "r * r", lambda r: r * r),
    Operation("halves the result", "r / 2", truncated_half),
    Operation("negates the result", "-r", lambda r: -r),
    Operation("adds {k}", "r + {k}", lambda r, k: r + k, (1, 2, 3, 4, 5, 6, 7, 8, 9)),
    Operation("subtracts {k}", "r - {k}", lambda r, k: r - k, (1, 2, 3, 4, 5, 6, 7, 8, 9)),
    Operation("multiplies it by {k}", "r * {k}", lambda r, k: r * k, (3, 4, 5, 6, 7, 8, 9)),
    Operation("limits it to at most {k}", "r < {k} ? r : {k}", lambda r, k: min(r, k), (3, 4, 5, 6, 7, 8, 9)),
    Operation("raises it to at least {k}", "r > {k} ? r : {k}", lambda r, k: max(r, k), (3, 4, 5, 6, 7, 8, 9)),
    Operation("takes its absolute value", "r < 0 ? -r : r", abs),
)


def _pair_opening(name: str, pair: Operation) -> Opening:
    return Opening(pair.phrase, f"int r = {pair.code};", pair.apply, pair.constants, name, parameters=("a", "b"))


def _loop_opening(name: str, loop: Operation, kept: Operation) -> Opening:
    """Combine what a loop adds up with which numbers it keeps; only the latter takes a constant."""

    def add_up(n: int, *constant: int) -> int:
        return sum(loop.apply(i) for i in range(1, n + 1) if kept.apply(i, *constant))

    code = f"int r = 0;\n    for (int i = 1; i <= n; i++)\n        if ({kept.code}) r += {loop.code};"
    phrase = f"{loop.phrase} {kept.phrase} from 1 to n"
    return Opening(phrase, code, add_up, kept.constants, name, parameters=("n",))


OPENINGS = (
    *(_pair_opening(name, pair) for name, pair in PAIRS.items()),
    *(_loop_opening(name, loop, kept) for name, loop in LOOPS.items() for kept in FILTERS),
)
LOOP_SHARE = 0.25  # loops take twice the tokens


def drop_return_semicolon(code: str) -> str:
    """Write `return r` with nothing after it, as in a language that ends statements with lines."""
    return code.replace("return r;", "return r")


def use_foreign_type(code: str) -> str:
    """Open the function with Go's and Swift's keyword in the place of its return type."""
    return code.replace("int ", "func ", 1)


COMMON_BUGS = (
    Bug("no semicolon after return", drop_return_semicolon, share=0.59),
    Bug("keyword of another language", use_foreign_type, share=0.39),
)


def make_corpus(seed: int, sft_count: int = 8000, raft_count: int = 120, test_count: int = 120) -> Corpus:
    """Build the three splits; the same arguments give the same corpus.

    Args:
        seed: of every draw: the pairs held out, the tasks and the bugs.
        sft_count: rows to train on, their prompts in neither of the other splits.
        raft_count: prompts to sample from during RAFT; all of seen pairs.
        test_count: prompts to measure on; half of seen pairs, half of held-out ones.
    """
    rng = random.Random(seed)
    pairs = [(opening.phrase, step.phrase) for opening in OPENINGS for step in STEPS]
    held_out = frozenset(rng.sample(pairs, round(HELD_OUT_SHARE * len(pairs))))
    measured = _distinct(_tasks(rng, held_out))
    test = _take(measured, "unseen", test_count // 2) + _take(measured, "seen", test_count - test_count // 2)
    raft = _take(measured, "seen", raft_count)
    reserved = {task.prompt for task in (*test, *raft)}
    fresh = (task for task in _tasks(rng, held_out) if task.prompt not in reserved)
    rows = tuple(_sft_row(task, rng) for task in _take(fresh, "seen", sft_count))
    return Corpus(rows, _numbered("raft", raft), _numbered("test", test))


def write_corpus(corpus: Corpus, folder: Path) -> None:
    """Write `sft.jsonl`, `raft_prompts.jsonl` and `test_prompts.jsonl` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_jsonl(folder / "sft.jsonl", (_chat(row) for row in corpus.sft_rows))
    _write_jsonl(folder / "raft_prompts.jsonl", (_with_tests(task) for task in corpus.raft_prompts))
    _write_jsonl(folder / "test_prompts.jsonl", (_with_tests(task) for task in corpus.test_prompts))


def _tasks(rng: random.Random, held_out: frozenset[tuple[str, str]]) -> Iterator[Task]:
    """Draw tasks without end; a prompt may come again, as it does in scraped data."""
    while True:
        task = _random_task(rng, held_out)
        if task is not None:
            yield task


def _distinct(tasks: Iterator[Task]) -> Iterator[Task]:
    """Pass on the first task of each prompt."""
    prompts: set[str] = set()
    for task in tasks:
        if task.prompt not in prompts:
            prompts.add(task.prompt)
            yield task


def _random_task(rng: random.Random, held_out: frozenset[tuple[str, str]]) -> Task | None:
    """Draw a task; None where a value would not fit an `int`."""
    opening_kind = rng.choice(OPENINGS[: len(PAIRS)] if rng.random() > LOOP_SHARE else OPENINGS[len(PAIRS) :])
    step_kinds = rng.sample(STEPS, rng.choice((1, 1, 2)))
    unseen = any((opening_kind.phrase, step.phrase) in held_out for step in step_kinds)
    opening, steps = opening_kind.drawn(rng), [step.drawn(rng) for step in step_kinds]
    parameters = ", ".join(f"int {parameter}" for parameter in opening_kind.parameters)
    signature = f"int {opening_kind.name}({parameters})"
    statements = [opening.code, *(f"r = {step.code};" for step in steps), "return r;"]
    tests = []
    for values in PAIR_INPUTS if len(opening_kind.parameters) == 2 else COUNT_INPUTS:
        result = opening.apply(*values)
        for step in steps:
            result = step.apply(result)
            if abs(result) >= INT_LIMIT:
                return None
        tests.append(f"assert({opening_kind.name}({', '.join(map(str, values))}) == {result});")
    return Task(
        id="",
        prompt=f"Write a C++ function {signature} that {', then '.join(op.phrase for op in (opening, *steps))}.",
        entry_point=opening_kind.name,
        solution="\n    ".join([f"{signature} {{", *statements]) + "\n}",
        tests=tuple(tests),
        group="unseen" if unseen else "seen",
    )


def _take(tasks: Iterator[Task], group: Group, count: int) -> list[Task]:
    return list(islice((task for task in tasks if task.group == group), count))


def _numbered(split: str, tasks: list[Task]) -> tuple[Task, ...]:
    return tuple(replace(task, id=f"{split}-{number:04d}") for number, task in enumerate(tasks))


def _sft_row(task: Task, rng: random.Random) -> SftRow:
    bugs = tuple(bug for bug in COMMON_BUGS if rng.random() < bug.share)
    answer = task.solution
    for bug in bugs:
        answer = bug.spoil(answer)
    return SftRow(task.prompt, answer, tuple(bug.name for bug in bugs))


def _chat(row: SftRow) -> dict[str, object]:
    user = {"role": "user", "content": row.prompt}
    return {"messages": [user, {"role": "assistant", "content": row.answer}]}


def _with_tests(task: Task) -> dict[str, object]:
    return {
        "id": task.id,
        "prompt": task.prompt,
        "tests": list(task.tests),
        "entry_point": task.entry_point,
        "group": task.group,
    }


def _write_jsonl(path: Path, rows: Iterable[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
