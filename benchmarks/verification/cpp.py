"""C++: real programs and the same with one token removed, against plain g++ in a thread pool."""

from __future__ import annotations

import json
import os
import random
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Verdict
from halo_forge.sandbox import open_sandbox
from halo_forge.verifiers.cpp.gcc import GccConfig

WORKERS = 2
BLOCK = 50
LINK, RUN, SYNTAX = "g++ compile and link", "g++ compile, link and run", "g++ -fsyntax-only"
OURS, MAKING, OURS_RUN = "ours, compile only", "ours, compile only, making headers", "ours, link and run"
RUN_TIMEOUT_S = 10
TOKEN = re.compile(r"[A-Za-z_]\w*|\d+|[^\s\w]")
ERROR = re.compile(r"^.*\berror\b.*$", re.MULTILINE)
WARNING = re.compile(r"^\S.*\bwarning: .*$", re.MULTILINE)
COMPILED = "compiles (syntax checked, not linked)"
PROMPT = Prompt(id="p", messages=(Message(role="user", content="-"),))


class Compiled(NamedTuple):
    """What the plain compiler said: whether it accepts the program, and its first error or warning."""

    ok: bool
    said: str


def programs(sample: Path, count: int, seed: int = 7) -> list[str]:
    """Return programs, each followed by itself with one token of its body removed."""
    rows = [json.loads(line)["response"] for line in sample.read_text().splitlines()]
    chance = random.Random(seed)
    found: list[str] = []
    for text in chance.sample(rows, count) if count < len(rows) else rows:
        dropped = chance.choice(list(TOKEN.finditer(text, max(text.find("main"), 0))))
        found += [text, text[: dropped.start()] + text[dropped.end() :]]
    return list(dict.fromkeys(found))


def measure(data: Path, count: int) -> dict[str, Any]:
    """Throughput of each way on the same programs, and the programs on which verdict or first message differ.

    The programs are cut into blocks, and the ways take turns on each: a machine that slows down slows all of them.
    """
    sources = programs(data / "codeforces_cpp_sample.jsonl", count)
    blocks = [sources[start : start + BLOCK] for start in range(0, len(sources), BLOCK)]
    with tempfile.TemporaryDirectory() as name, _empty_cache() as cache, open_sandbox() as sandbox:
        folder = Path(name)
        started = time.perf_counter()
        first = _verified(sources, run=False)
        making_s = time.perf_counter() - started
        compiling, running = (GccConfig(run=run).build(sandbox, WORKERS) for run in (False, True))
        ways: dict[str, Callable[[Sequence[str]], list[Any]]] = {
            LINK: lambda block: _plain(block, folder, []),
            OURS: lambda block: compiling.verify(_submissions(block)),
            SYNTAX: lambda block: _plain(block, folder, ["-Wall", "-Wextra", "-fsyntax-only"]),
            OURS_RUN: lambda block: running.verify(_submissions(block)),
            RUN: lambda block: _plain(block, folder, [], run=True),
        }
        seconds, results = _in_turns(ways, blocks)
        compiling.close()
        running.close()
        headers = len(list(cache.glob("halo-forge/headers/*/*/made.json")))
    whole = {name: sum(each) for name, each in seconds.items()} | {MAKING: making_s}
    return {
        "programs": len(sources),
        "headers_made": headers,
        "per_s": {name: round(len(sources) / each, 3) for name, each in whole.items()},
        "compile_only_over_link": _times(seconds[LINK], seconds[OURS]),
        "compile_only_making_headers_over_link": round(whole[LINK] / making_s, 2),
        "link_and_run_over_link_and_run": _times(seconds[RUN], seconds[OURS_RUN]),
        "differing": [_differing(results[SYNTAX], verdicts) for verdicts in (first, results[OURS])],
    }


def _in_turns(
    ways: Mapping[str, Callable[[Sequence[str]], list[Any]]], blocks: Sequence[Sequence[str]]
) -> tuple[dict[str, list[float]], dict[str, list[Any]]]:
    """Return the seconds of each way block by block, and its results; who begins changes from block to block."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    results: dict[str, list[Any]] = {name: [] for name in ways}
    names = list(ways)
    for number, block in enumerate(blocks):
        turn = number % len(names)
        for name in [*names[turn:], *names[:turn]]:
            started = time.perf_counter()
            results[name] += ways[name](block)
            seconds[name].append(time.perf_counter() - started)
    return seconds, results


def _times(theirs: Sequence[float], ours: Sequence[float]) -> dict[str, float]:
    """How many times as fast ours is: on all blocks together, and on the median, the worst and the best block."""
    ratios = sorted(their / our for their, our in zip(theirs, ours, strict=True))
    found = (sum(theirs) / sum(ours), statistics.median(ratios), ratios[0], ratios[-1])
    return {name: round(value, 2) for name, value in zip(("all", "median", "least", "most"), found, strict=True)}


@contextmanager
def _empty_cache() -> Iterator[Path]:
    """Keep headers in a folder of this measurement's own."""
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        try:
            yield Path(cache)
        finally:
            if before is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = before


def scaling(data: Path, count: int, rounds: int) -> dict[str, Any]:
    """Throughput of two workers over one, compiling only, headers made before."""
    sources = programs(data / "codeforces_cpp_sample.jsonl", count)
    _verified(sources, run=False)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, found in seconds.items():
            started = time.perf_counter()
            _verified(sources, run=False, workers=workers)
            found.append(time.perf_counter() - started)
    ratios = sorted(one / two for one, two in zip(seconds[1], seconds[2], strict=True))
    return {"programs": len(sources), "two_workers_over_one": round(ratios[len(ratios) // 2], 2)}


def _plain(sources: Sequence[str], folder: Path, options: Sequence[str], *, run: bool = False) -> list[Compiled]:
    """Compile each with g++, as many at a time as there are workers."""

    def one(numbered: tuple[int, str]) -> Compiled:
        number, source = numbered
        place = folder / str(number)
        place.mkdir(exist_ok=True)
        (place / "program.cpp").write_text(source)
        link = [] if "-fsyntax-only" in options else ["-o", str(place / "program")]
        ended = subprocess.run(
            ["g++", "-std=gnu++17", *options, "program.cpp", *link], cwd=place, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}, check=False,
        )  # fmt: skip
        if run and ended.returncode == 0:
            with suppress(subprocess.TimeoutExpired):
                command = [str(place / "program")]
                subprocess.run(
                    command, capture_output=True, stdin=subprocess.DEVNULL, timeout=RUN_TIMEOUT_S, check=False
                )
        said = (WARNING if ended.returncode == 0 else ERROR).search(ended.stderr)
        return Compiled(ended.returncode == 0, said[0].strip() if said else "")

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(one, enumerate(sources)))


def _verified(sources: Sequence[str], *, run: bool, workers: int = WORKERS) -> list[Verdict]:
    """Verify with fresh workers."""
    with open_sandbox() as sandbox:
        verifier = GccConfig(run=run).build(sandbox, workers)
        verdicts = verifier.verify(_submissions(sources))
        verifier.close()
    return verdicts


def _submissions(sources: Sequence[str]) -> list[Submission]:
    return [Submission(PROMPT, f"```cpp\n{source}\n```") for source in sources]


def _differing(standard: Sequence[Compiled], verdicts: Sequence[Verdict]) -> int:
    """Count the programs whose verdict or first message is not that of the plain compiler."""
    count = 0
    for plain, verdict in zip(standard, verdicts, strict=True):
        said = verdict.detail.removeprefix(COMPILED).strip().removeprefix("/job/")
        reward = 0.0 if not plain.ok else 0.3 if plain.said else 0.5
        count += (verdict.fault, verdict.passed, verdict.reward, said) != (None, plain.ok, reward, plain.said)
    return count
