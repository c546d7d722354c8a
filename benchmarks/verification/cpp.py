"""C++: real programs and the same with one token removed, against plain g++ in a thread pool."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Verdict
from halo_forge.sandbox import open_sandbox
from halo_forge.verifiers.cpp.gcc import GccConfig

WORKERS = 2
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
    """Throughput of each way on the same programs, and the programs on which verdict or first message differ."""
    sources = programs(data / "codeforces_cpp_sample.jsonl", count)
    per_s: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        result = work()
        per_s[name] = round(len(sources) / (time.perf_counter() - started), 3)
        return result

    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as cache:
        before = os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = cache
        folder = Path(name)
        timed("g++ compile and link", lambda: _plain(sources, folder, []))
        first = timed("ours, compile only, making headers", lambda: _verified(sources, run=False))
        again = timed("ours, compile only", lambda: _verified(sources, run=False))
        standard = timed("g++ -fsyntax-only", lambda: _plain(sources, folder, ["-Wall", "-Wextra", "-fsyntax-only"]))
        timed("ours, link and run", lambda: _verified(sources, run=True))
        timed("g++ compile, link and run", lambda: _plain(sources, folder, [], run=True))
        headers = len(list(Path(cache).glob("halo-forge/headers/*/*/made.json")))
        if before is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = before
    link, run = per_s["g++ compile and link"], per_s["g++ compile, link and run"]
    return {
        "programs": len(sources),
        "headers_made": headers,
        "per_s": per_s,
        "compile_only_over_link": round(per_s["ours, compile only"] / link, 2),
        "compile_only_making_headers_over_link": round(per_s["ours, compile only, making headers"] / link, 2),
        "link_and_run_over_link_and_run": round(per_s["ours, link and run"] / run, 2),
        "differing": [_differing(standard, verdicts) for verdicts in (first, again)],
    }


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
    submissions = [Submission(PROMPT, f"```cpp\n{source}\n```") for source in sources]
    with open_sandbox() as sandbox:
        verifier = GccConfig(run=run).build(sandbox, workers)
        verdicts = verifier.verify(submissions)
        verifier.close()
    return verdicts


def _differing(standard: Sequence[Compiled], verdicts: Sequence[Verdict]) -> int:
    """Count the programs whose verdict or first message is not that of the plain compiler."""
    count = 0
    for plain, verdict in zip(standard, verdicts, strict=True):
        said = verdict.detail.removeprefix(COMPILED).strip().removeprefix("/job/")
        reward = 0.0 if not plain.ok else 0.3 if plain.said else 0.5
        count += (verdict.fault, verdict.passed, verdict.reward, said) != (None, plain.ok, reward, plain.said)
    return count
