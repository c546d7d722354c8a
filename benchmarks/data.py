"""How fast a file of rows is made, checked and cleaned, and in how much memory, beside plain `datasets`; prints JSON.

    python benchmarks/data.py --rows 1000000 --ways ours
    python benchmarks/data.py --rows 100000 --rounds 3

Each step runs in a process of its own, our way and the plain way in turns. Its peak is the largest sum of the resident
memory of that process and its children, pages of mapped files among them; its processor time is theirs together. The
plain way does the same work as somebody would write it with `load_dataset`, `map`, `filter` and `to_json`, on as many
processes. Its near duplicates are those that rensa's own index finds by estimated similarity.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import psutil

PROCESSES = 2
WORDS = ["def", "return", "list", "value", "write", "a", "function", "that", "the", "of", "in", "array", "if", "for"]
SHARE_EQUAL, SHARE_NEAR = 0.03, 0.05
STEPS = ("prepare", "validate", "dedup", "decontaminate", "split")
ROLES = {"system", "user", "assistant", "tool"}
UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef\ufeff\ufffe\uffff]")


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


def make_table(lines: Path, path: Path) -> None:
    """Write the same rows as a table of questions and answers, which is what a dataset is prepared from."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema({"question": pa.string(), "answer": pa.string()})
    with lines.open("rb") as file, pq.ParquetWriter(path, schema) as table:
        while rows := [json.loads(line)["messages"] for line in islice(file, 10_000)]:
            table.write_batch(
                pa.RecordBatch.from_pylist(
                    [{"question": q["content"], "answer": a["content"]} for q, a in rows], schema
                )
            )


def ours(step: str, path: Path, against: Path, folder: Path) -> int:
    """Do a step; return how many rows are left."""
    from halo_forge.config.curate import DecontaminateConfig, DedupConfig, SplitConfig, ValidateConfig
    from halo_forge.config.prepare import PrepareConfig
    from halo_forge.core.events import EventLog
    from halo_forge.data.curate.decontaminate import decontaminate_file
    from halo_forge.data.curate.dedup import dedup_file
    from halo_forge.data.curate.split import split_file
    from halo_forge.data.curate.validate import validate_file
    from halo_forge.data.prepare import prepare

    output, log = folder / "out.jsonl", EventLog()
    own = folder / "own.yaml"
    own.write_text(json.dumps({"path": str(path), "columns": {"prompt": "question", "completion": "answer"}}))
    steps: dict[str, Callable[[], int]] = {
        "prepare": lambda: prepare(PrepareConfig(dataset=str(own), output=output)).counts.kept,
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

    kind = "parquet" if step == "prepare" else "json"
    rows = load_dataset(kind, data_files=str(path), split="train", cache_dir=str(folder))
    if step == "prepare":
        rows = rows.map(_as_messages, remove_columns=rows.column_names, num_proc=PROCESSES)
        rows = rows.filter(_usable, num_proc=PROCESSES)
    elif step == "validate":
        rows = rows.filter(_usable, num_proc=PROCESSES)
        rows = rows.filter(_First())
    elif step == "dedup":
        rows = _plain_dedup(rows)
    elif step == "decontaminate":
        grams = _grams_of(against)
        rows = rows.filter(lambda row: grams.isdisjoint(_grams(_said(row))), num_proc=PROCESSES)
    else:
        keys = rows.map(_key, remove_columns=rows.column_names, num_proc=PROCESSES)["key"]
        groups = sorted(set(keys))
        tenth = set(random.Random(0).sample(groups, len(groups) // 10))
        rows.select([place for place, key in enumerate(keys) if key in tenth]).to_json(str(folder / "test.jsonl"))
        rows = rows.select([place for place, key in enumerate(keys) if key not in tenth])
    rows.to_json(str(folder / "out.jsonl"))
    return len(rows)


def _as_messages(row: dict[str, Any]) -> dict[str, Any]:
    texts = [UNCLEAN.sub("", row[column]) for column in ("question", "answer")]
    turns = [{"role": role, "content": text} for role, text in zip(("user", "assistant"), texts, strict=True)]
    return {"messages": turns}


def _usable(row: dict[str, Any]) -> bool:
    turns = row["messages"]
    if any(turn["role"] not in ROLES or UNCLEAN.search(turn["content"]) for turn in turns):
        return False
    return {"user", "assistant"} <= {turn["role"] for turn in turns if turn["content"].strip()}


def _key(row: dict[str, Any]) -> dict[str, Any]:
    return {"key": " ".join(re.findall(r"\w+", row["messages"][0]["content"].lower()))}


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
    words = re.findall(r"\w+", text.lower())
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
    source = path.with_suffix(".parquet") if step == "prepare" else path
    if not source.exists():
        make_table(path, source)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [
            sys.executable,
            __file__,
            "--step",
            f"{way}:{step}",
            "--file",
            str(source),
            "--against",
            str(against),
        ]
        environment = {**os.environ, "HF_HOME": folder, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        environment["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
        begun, cpu_begun = time.perf_counter(), _cpu_of_children()
        with subprocess.Popen(
            [*command, "--folder", folder], stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            watch = _Watch(process.pid)
            out, _ = process.communicate()
        wall_s, cpu_s = time.perf_counter() - begun, _cpu_of_children() - cpu_begun
        peak_mb, seen_cpu_s = watch.stop()
        if process.returncode:
            return {"failed": process.returncode}
        with path.open("rb") as file:
            rows = sum(1 for _ in file)
        return {
            "rows": rows,
            "kept": int(out.splitlines()[-1]),
            "cpu_s": round(max(cpu_s, seen_cpu_s), 1),
            "wall_s": round(wall_s, 1),
            "rows_per_s": round(rows / wall_s),
            "rows_per_cpu_s": round(rows / max(cpu_s, seen_cpu_s)),
            "peak_mb": peak_mb,
        }


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Watch:
    """The largest sum of resident memory of a process and its children, and the processor time of all of them.

    Children that nobody waits for are missing in what the system adds up, so both are looked at while they live.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._largest = 0
        self._cpu_s: dict[int, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> tuple[int, float]:
        """Stop watching; return MiB and seconds."""
        self._over.set()
        self._thread.join()
        return self._largest >> 20, sum(self._cpu_s.values())

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            total = 0
            try:
                for process in [self._process, *self._process.children(recursive=True)]:
                    total += process.memory_info().rss
                    used = process.cpu_times()
                    self._cpu_s[process.pid] = used.user + used.system
            except psutil.Error:
                continue
            self._largest = max(self._largest, total)


def summed_up(found: dict[str, dict[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    """Medians of the rounds, and how many times as fast ours is, round beside round."""
    steps: dict[str, Any] = {}
    for step, ways in found.items():
        steps[step] = {
            way: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
            for way, rounds in ways.items()
        }
        if len(ways) == 2:
            for figure in ("rows_per_cpu_s", "rows_per_s"):
                ratios = [a[figure] / b[figure] for a, b in zip(ways["ours"], ways["plain"], strict=True)]
                steps[step][f"times_{figure}"] = [round(ratio, 2) for ratio in sorted(ratios)]
    return steps


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--against", type=Path, default=Path("../shared/data/humaneval.jsonl"))
    parser.add_argument("--steps", default=",".join(STEPS))
    parser.add_argument("--ways", default="ours,plain")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--file", type=Path, help="rows to work on; by default they are made")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        way, _, step = options.step.partition(":")
        print((ours if way == "ours" else plain)(step, options.file, options.against, options.folder))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "rows.jsonl"
        if options.file is None:
            make_rows(path, options.rows)
        found: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for step in options.steps.split(","):
            for round_number in range(options.rounds):
                ways = options.ways.split(",")
                for way in ways if round_number % 2 == 0 else reversed(ways):
                    result = measure(way, step, path, options.against)
                    found.setdefault(step, {}).setdefault(way, []).append(result)
                    print(step, way, result, file=sys.stderr, flush=True)
        steps = summed_up(found)
        content = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "steps": steps}
    text = json.dumps(content, indent=2)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
