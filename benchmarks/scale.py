"""What Ray costs: verification on two nodes of one processor beside two workers here, and memory on many rows.

    python benchmarks/scale.py --data ../shared/data --parts overhead,memory --rows 1000000 --output scale.json

The nodes are real ones of Ray on this machine, each with processes of its own. Ways take turns round by round on the
same programs, and the ratio of each round is what counts. Starting Ray and the verifiers is given apart. No verdict
comes from the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
from verification.cpp import programs
from verification.python import QUICK_S, humaneval_items

from halo_forge.config.shared import VerifierOptions
from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Verdict
from halo_forge.rollout.checking import open_checker

STORE_BYTES = 80 << 20
PACE_S = 2.0


@contextmanager
def nodes(count: int, *, pinned: bool = False) -> Iterator[str]:
    """Bring up nodes of one processor each and yield the address of their cluster.

    Args:
        pinned: each is to use a processor of its own and no other.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for number in range(count):
            with on_processors({number} if pinned else os.sched_getaffinity(0)):
                cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        yield cluster.address
    finally:
        cluster.shutdown()


@contextmanager
def on_processors(numbers: set[int]) -> Iterator[None]:
    """Have this thread, and what it starts, use these processors only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, numbers)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpp_submissions(data: Path, count: int) -> list[Submission]:
    """C++ programs, half of them with an error."""
    prompt = Prompt(id="p", messages=(Message(role="user", content="-"),))
    sources = programs(data / "codeforces_cpp_sample.jsonl", count)
    return [Submission(prompt, f"```cpp\n{source}\n```") for source in sources]


def python_submissions(data: Path, _: int) -> list[Submission]:
    """HumanEval's solutions, and mutants of them."""
    return [item.submission for item in humaneval_items(data)]


PROGRAMS: dict[str, Callable[[Path, int], list[Submission]]] = {"gcc": cpp_submissions, "python": python_submissions}


def overhead(address: str, verifier: str, data: Path, count: int, rounds: int) -> dict[str, Any]:
    """Seconds for the same programs by both ways, and how much more Ray takes.

    Programs that run for more than `QUICK_S` are judged once and left out of the timing.
    """
    submissions = PROGRAMS[verifier](data, count)
    settings: dict[str, Any] = {"verifier": verifier, "cache": False}
    with ExitStack() as stack:
        begun = time.perf_counter()
        here = stack.enter_context(open_checker(VerifierOptions(workers=2, **settings)))
        started_here = time.perf_counter() - begun
        there = stack.enter_context(open_checker(VerifierOptions(executor="ray", ray_address=address, **settings)))
        started_there = time.perf_counter() - begun - started_here
        seconds: dict[str, list[float]] = {"local": [], "ray": []}
        ways = {"local": here, "ray": there}
        first = {name: way.verify(submissions) for name, way in ways.items()}  # makes headers and is not counted
        assert [_said(v) for v in first["local"]] == [_said(v) for v in first["ray"]]
        quick = [s for s, verdict in zip(submissions, first["local"], strict=True) if verdict.wall_s < QUICK_S]
        for turn in range(rounds):
            for name in sorted(ways, reverse=bool(turn % 2)):
                begun = time.perf_counter()
                verdicts = ways[name].verify(quick)
                seconds[name].append(time.perf_counter() - begun)
                assert len(verdicts) == len(quick)
    ratios = sorted(ray / local for local, ray in zip(seconds["local"], seconds["ray"], strict=True))
    return {
        "programs": len(submissions),
        "timed": len(quick),
        "seconds": {name: [round(each, 2) for each in found] for name, found in seconds.items()},
        "ray_over_local": {"median": round(statistics.median(ratios), 3), "all": [round(r, 3) for r in ratios]},
        "start_s": {"local": round(started_here, 1), "ray": round(started_there, 1)},
    }


def _said(verdict: Verdict) -> tuple[object, ...]:
    return (verdict.reward, verdict.stage)  # how long an endless program ran is in the detail


def memory(rows: int) -> dict[str, Any]:
    """Memory of `halo-forge verify` on Ray, of the command and of everything it starts, as the rows go by."""
    with tempfile.TemporaryDirectory() as folder:
        source, verdicts = Path(folder) / "rows.jsonl", Path(folder) / "verdicts.jsonl"
        with source.open("w") as file:
            for number in range(rows):
                call = f'<tool_call>{{"name": "f", "arguments": {{"n": {number}}}}}</tool_call>'
                row = {"id": str(number), "prompt": "call f", "calls": [], "completion": call}
                file.write(json.dumps(row) + "\n")
        words = ["verify", str(source), "--verifier", "tools", "--output", str(verdicts), "--no-cache"]
        command = [sys.executable, "-m", "halo_forge", *words, "--executor", "ray", "--ray-address", "local"]
        begun = time.perf_counter()
        with (Path(folder) / "said").open("wb") as said:
            process = psutil.Popen(command, stdout=said, stderr=subprocess.STDOUT)
            found: list[tuple[float, float, float]] = []
            watcher = threading.Thread(target=_watch, args=(process, verdicts, source.stat().st_size, found))
            watcher.start()
            status = process.wait()
            watcher.join()
        written = sum(1 for _ in verdicts.open()) if verdicts.exists() else 0
        words_at_end = (Path(folder) / "said").read_text()[-300:] if status else ""
    seconds = time.perf_counter() - begun
    thirds = [found[len(found) * n // 3 : len(found) * (n + 1) // 3] for n in range(3)]
    return {
        "rows": written,
        "exit_status": status,
        "said": words_at_end,
        "rows_per_s": round(written / seconds),
        "command_mb_by_third": [round(max(one for _, one, _ in third)) for third in thirds if third],
        "with_ray_mb_by_third": [round(max(every for _, _, every in third)) for third in thirds if third],
    }


def _watch(process: psutil.Popen, verdicts: Path, size: int, found: list[tuple[float, float, float]]) -> None:
    """Note (bytes written, MiB of the command, MiB of it with all it started) every two seconds."""
    while process.poll() is None:
        try:
            own = process.memory_info().rss
            below = 0
            for child in process.children(recursive=True):
                try:
                    below += child.memory_full_info().uss
                except psutil.Error:
                    continue
        except psutil.Error:
            return
        written = verdicts.stat().st_size if verdicts.exists() else 0
        if written:
            found.append((written / size, own / 2**20, (own + below) / 2**20))
        time.sleep(PACE_S)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the sample programs")
    parser.add_argument("--parts", default="overhead,memory")
    parser.add_argument("--programs", type=int, default=100, help="C++ programs, each also with an error")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    report: dict[str, Any] = {}
    for part in options.parts.split(","):
        if part == "overhead":
            with nodes(2) as address:
                report[part] = {
                    verifier: overhead(address, verifier, options.data, options.programs, options.rounds)
                    for verifier in PROGRAMS
                }
        else:
            report[part] = memory(options.rows)
    text = json.dumps(report, indent=2)
    if options.output:
        options.output.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
