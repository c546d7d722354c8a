"""How fast a file of rows is checked and cleaned, and in how much memory, beside plain `datasets`; prints JSON.

    python benchmarks/data.py --rows 1000000 --against ../shared/data/humaneval.jsonl --output data.json

Each step runs in a process of its own; its peak is the largest sum of the resident memory of that process and its
children. The plain way does the same work row by row with `map` and `filter`, on as many processes. Its near duplicates
are those that rensa's own index finds by estimated similarity.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

PROCESSES = 2
WORDS = ["def", "return", "list", "value", "write", "a", "function", "that", "the", "of", "in", "array", "if", "for"]
SHARE_EQUAL, SHARE_NEAR = 0.03, 0.05


def make_rows(path: Path, rows: int) -> None:
    """Write conversations of about 100 words; some are equal to an earlier one, and some but for a word."""
    rng = random.Random(0)
    words = WORDS + [f"name{number}" for number in range(3000)]
    earlier: list[tuple[list[str], list[str]]] = []
    with path.open("w") as file:
        for number in range(rows):
            drawn = rng.random()
            if earlier and drawn < SHARE_EQUAL + SHARE_NEAR:
                question, answer = rng.choice(earlier)
                if drawn >= SHARE_EQUAL:
                    answer = list(answer)
                    answer[rng.randrange(len(answer))] = f"changed{number}"
            else:
                question, answer = rng.choices(words, k=25), rng.choices(words, k=75)
            if len(earlier) < 2000:
                earlier.append((question, answer))
            else:
                earlier[rng.randrange(2000)] = (question, answer)
            turns = [
                {"role": "user", "content": " ".join(question)},
                {"role": "assistant", "content": f"```python\n{' '.join(answer)}\n```"},
            ]
            file.write(json.dumps({"id": f"r{number}", "messages": turns}) + "\n")


def ours(step: str, path: Path, against: Path, folder: Path) -> int:
    """Do a step; return how many rows are left."""
    from halo_forge.config.curate import DecontaminateConfig, DedupConfig, SplitConfig, ValidateConfig
    from halo_forge.core.events import EventLog
    from halo_forge.data.curate.decontaminate import decontaminate_file
    from halo_forge.data.curate.dedup import dedup_file
    from halo_forge.data.curate.split import split_file
    from halo_forge.data.curate.validate import validate_file

    output, log = folder / "out.jsonl", EventLog()
    steps: dict[str, Callable[[], int]] = {
        "validate": lambda: validate_file(path, ValidateConfig(fix=output, processes=PROCESSES), log).usable,
        "dedup": lambda: dedup_file(path, DedupConfig(output=output, processes=PROCESSES), log).kept,
        "decontaminate": lambda: (
            decontaminate_file(
                path, DecontaminateConfig(against=(str(against),), output=output, processes=PROCESSES), log
            ).kept
        ),
        "split": lambda: split_file(path, SplitConfig(output_folder=folder, processes=PROCESSES), log).parts[0].rows,
    }
    return steps[step]()


def plain(step: str, path: Path, against: Path, folder: Path) -> int:
    """Do the same with `datasets`; return how many rows are left."""
    from datasets import load_dataset

    rows = load_dataset("json", data_files=str(path), split="train", cache_dir=str(folder))
    if step == "validate":
        rows = rows.filter(_usable, num_proc=PROCESSES)
        rows = rows.filter(_First())
    elif step == "dedup":
        rows = _plain_dedup(rows)
    elif step == "decontaminate":
        grams = _grams_of(against)
        rows = rows.filter(lambda row: grams.isdisjoint(_grams(_said(row))), num_proc=PROCESSES)
    else:
        parts = rows.train_test_split(0.1, seed=0)
        parts["test"].to_json(str(folder / "test.jsonl"))
        rows = parts["train"]
    rows.to_json(str(folder / "out.jsonl"))
    return len(rows)


def _usable(row: dict[str, Any]) -> bool:
    from halo_forge.data.conversations import read_conversation, why_unusable
    from halo_forge.data.hygiene import clean_row
    from halo_forge.data.jsonl import Row

    return why_unusable(read_conversation(Row(1, clean_row(row).values)).messages) is None


class _First:
    """Whether nothing equal came before."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, row: dict[str, Any]) -> bool:
        said = _said(row)
        new = said not in self._seen
        self._seen.add(said)
        return new


def _said(row: dict[str, Any]) -> str:
    return "\n".join(turn["content"] for turn in row["messages"])


def _grams(text: str, n: int = 13) -> set[str]:
    from halo_forge.data.curate.grams import words_of

    words = words_of(text)
    return {" ".join(words[start : start + n]) for start in range(len(words) - n + 1)}


def _grams_of(against: Path) -> set[str]:
    lines = against.read_text(encoding="utf-8").splitlines()
    return set().union(*(_grams(json.loads(line)["prompt"]) for line in lines))


def _plain_dedup(rows: Any) -> Any:
    from rensa import RMinHash, RMinHashDeduplicator

    index = RMinHashDeduplicator(threshold=0.8, num_perm=126, use_lsh=True, num_bands=21)

    def is_new(row: dict[str, Any], place: int) -> bool:
        sketch = RMinHash(126, 42)
        sketch.update(list(_grams(_said(row), 5)))
        return bool(index.add(str(place), sketch))

    return rows.filter(is_new, with_indices=True)


def measure(way: str, step: str, path: Path, against: Path) -> dict[str, Any]:
    """Run a step in a process of its own and watch it."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [sys.executable, __file__, "--step", f"{way}:{step}", "--file", str(path), "--against", str(against)]
        begun = time.perf_counter()
        environment = {**os.environ, "HF_HOME": folder, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        with subprocess.Popen(
            [*command, "--folder", folder], stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            peak = _Peak(process.pid)
            out, _ = process.communicate()
            wall_s = time.perf_counter() - begun
        if process.returncode:
            return {"failed": process.returncode}
        result = json.loads(out.splitlines()[-1])
        return {
            **result, "wall_s": round(wall_s, 1), "rows_per_s": round(result["rows"] / wall_s), "peak_mb": peak.stop(),
        }  # fmt: skip


class _Peak:
    """The largest sum of resident memory of a process and its children, MiB."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._largest = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        """Stop watching."""
        self._over.set()
        self._thread.join()
        return self._largest >> 20

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            total = 0
            try:
                for process in [self._process, *self._process.children(recursive=True)]:
                    total += process.memory_info().rss
            except psutil.Error:
                continue
            self._largest = max(self._largest, total)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--against", type=Path, default=Path("../shared/data/humaneval.jsonl"))
    parser.add_argument("--steps", default="validate,dedup,decontaminate,split")
    parser.add_argument("--ways", default="ours,plain")
    parser.add_argument("--file", type=Path, help="rows to work on; by default they are made")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        way, _, step = options.step.partition(":")
        begun = time.process_time()
        kept = (ours if way == "ours" else plain)(step, options.file, options.against, options.folder)
        own, children = time.process_time() - begun, os.times()
        cpu_s = own + children.children_user + children.children_system
        with options.file.open("rb") as file:
            rows = sum(1 for _ in file)
        print(json.dumps({"rows": rows, "kept": kept, "cpu_s": round(cpu_s, 1)}))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "rows.jsonl"
        if options.file is None:
            make_rows(path, options.rows)
        found: dict[str, dict[str, Any]] = {}
        for step in options.steps.split(","):
            for way in options.ways.split(","):
                found.setdefault(step, {})[way] = measure(way, step, path, options.against)
                print(step, way, found[step][way], file=sys.stderr, flush=True)
        content = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "steps": found}
    text = json.dumps(content, indent=2)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
