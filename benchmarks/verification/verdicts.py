"""The verdict cache's speed, and the harness's memory on a long file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from halo_forge.config.shared import VerifierOptions
from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Reference
from halo_forge.rollout.checking import open_checker

VARIANTS = 25
BATCH = 256
ROWS, DISTINCT = 100_000, 500


def cached(data: Path) -> dict[str, Any]:
    """Verdicts a second on programs that the cache does not know, and on the same again."""
    submissions = []
    for row in map(json.loads, (data / "humaneval.jsonl").read_text().splitlines()):
        reference = Reference(stub=row["prompt"], check=row["test"], entry_point=row["entry_point"])
        prompt = Prompt(id=row["task_id"], messages=(Message(role="user", content=row["prompt"]),), reference=reference)
        body = row["canonical_solution"]
        submissions += [Submission(prompt, f"{body}    # {number}\n") for number in range(VARIANTS)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        with open_checker(VerifierOptions(verifier="humaneval")) as checker:
            rates = []
            for _ in range(2):
                started = time.perf_counter()
                for first in range(0, len(submissions), BATCH):
                    verdicts = checker.verify(submissions[first : first + BATCH])
                    assert all(verdict.passed for verdict in verdicts)
                rates.append(round(len(submissions) / (time.perf_counter() - started)))
        del os.environ["XDG_CACHE_HOME"]
    return {"verdicts": len(submissions), "judged_per_s": rates[0], "cached_per_s": rates[1]}


def memory() -> dict[str, Any]:
    """Peak memory of `halo-forge verify` on many rows; most are repeated, for it is the rows that could pile up."""
    with tempfile.TemporaryDirectory() as folder:
        rows, verdicts = Path(folder) / "rows.jsonl", Path(folder) / "verdicts.jsonl"
        with rows.open("w") as file:
            for number in range(ROWS):
                task = number % DISTINCT
                row = {"id": str(number), "prompt": f"f{task}", "tests": [f"assert f(1) == {task}"], "entry_point": "f"}
                row["completion"] = f"```python\n{'# filler ' * 60}\ndef f(x):\n    return {task}\n```"
                file.write(json.dumps(row) + "\n")
        words = ["verify", str(rows), "--verifier", "python", "--output", str(verdicts)]
        command = [sys.executable, "-m", "halo_forge", *words]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        written = sum(1 for _ in verdicts.open())
    return {
        "rows": written,
        "exit_status": process.returncode,
        "rows_per_s": round(written / seconds),
        "peak_memory_of_the_harness_mb": round(usage.ru_maxrss / 1024),
    }
