"""Training against TRL's SFTTrainer: same weights, rows, batches and optimiser; as JSON.

    python benchmarks/training.py --peer-python /opt/trl/bin/python [--steps 60] [--repeats 5]

The peer runs in an interpreter that has trl, one torch thread on either side. First each of its settings is tried and
the fastest taken; then the two train in turns, which shares out whatever else the machine does. Loading and preparing
are not counted. Tokens are those of the rows, without padding. Losses are compared step by step.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from training_peer import SETTINGS

from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.events import Event, EventLog, EventType
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Message
from halo_forge.demo.corpus import make_corpus
from halo_forge.models.load import load_policy
from halo_forge.models.nano import build_nano_code_model
from halo_forge.models.resolve import resolve_model
from halo_forge.training import trainer as training
from halo_forge.training.batches import plan_batches
from halo_forge.training.settings import TrainSettings

BATCH_SIZE, LEARNING_RATE = 16, 1e-3
OPTIONS = TuningOptions(tuning="full", warmup_ratio=0.0)


class Peer:
    """The other side's process."""

    def __init__(self, python: Path, job: dict[str, Any], log: Path) -> None:
        self._process = subprocess.Popen(
            [python, Path(__file__).with_name("training_peer.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
        )
        self._ask(json.dumps(job))

    def _ask(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def train(self, setting: str) -> dict[str, Any]:
        """Train once from the start."""
        self._ask(setting)
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("the peer ended; its log is above")
        result: dict[str, Any] = json.loads(answer)
        return result

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()


def train_ours(model: Path, rows: list[TrainingRow], steps: int) -> dict[str, Any]:
    """Train once from the start."""
    policy = load_policy(resolve_model(str(model)), LoadingOptions(threads=1), OPTIONS)
    settings = TrainSettings.from_options(
        OPTIONS, learning_rate=LEARNING_RATE, batch_size=BATCH_SIZE, epochs=1, schedule="constant"
    )
    losses: list[float] = []
    events = EventLog()

    def listen(event: Event) -> None:
        if event.type is EventType.STEP:
            losses.append(float(event.m["loss"]))  # type: ignore[arg-type]

    events.listen(listen)
    trainer = training.PolicyTrainer(policy, settings, events, StopRequest())
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        report = trainer.train(rows, seed=0, cycle=0, state_folder=Path(folder) / "state")
        result = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "losses": losses}
    assert report.steps == steps
    return result


def make_rows(model: Path, count: int) -> list[TrainingRow]:
    """The demo's corpus as the tiny model reads it."""
    corpus = make_corpus(0).sft_rows
    if not (model / "config.json").exists():
        build_nano_code_model(model, [text for row in corpus for text in (row.prompt, row.answer)], seed=0)
    chat = load_policy(resolve_model(str(model)), LoadingOptions(threads=1)).chat
    return [
        chat.conversation_row([Message(role="user", content=row.prompt), Message(role="assistant", content=row.answer)])
        for row in corpus[:count]
    ]


def compare(work: Path, python: Path, steps: int, repeats: int) -> dict[str, Any]:
    """Run both sides in turns."""
    model = work / "model"
    rows = make_rows(model, steps * BATCH_SIZE)
    tokens = sum(len(row.ids) for row in rows)
    in_order = [rows[i] for batch in plan_batches([len(row.ids) for row in rows], BATCH_SIZE, steps, 0) for i in batch]
    job = {
        "model": str(model),
        "input_ids": [row.ids for row in in_order],
        "labels": [[i if on else -100 for i, on in zip(row.ids, row.learn, strict=True)] for row in in_order],
        "batch_size": BATCH_SIZE,
        "learning_rate": LEARNING_RATE,
        "max_length": max(len(row.ids) for row in rows),
        "tokens": tokens,
        "steps": steps,
    }
    peer = Peer(python, job, work / "peer.log")
    tried = {name: peer.train(name) for name in SETTINGS}
    best = min(tried, key=lambda name: float(tried[name]["cpu_s"]))
    train_ours(model, rows, steps)
    training.EVENT_SECONDS = 0.0  # one untimed training says every loss
    losses = train_ours(model, rows, steps)["losses"]
    training.EVENT_SECONDS = 0.5
    apart = [abs(a - b) / b for a, b in zip(losses, tried["lean"]["losses"], strict=True)]
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(train_ours(model, rows, steps))
        theirs.append(peer.train(best))
    peer.close()
    return {
        "tokens": tokens,
        "learnt_tokens": sum(sum(row.learn) for row in rows),
        "peer_settings_tokens_per_cpu_s": {name: round(tokens / run["cpu_s"]) for name, run in tried.items()},
        "peer_setting": best,
        "tokens_per_cpu_s": {"ours": spread(tokens, ours, "cpu_s"), "peer": spread(tokens, theirs, "cpu_s")},
        "tokens_per_s": {"ours": spread(tokens, ours, "wall_s"), "peer": spread(tokens, theirs, "wall_s")},
        "ratio_cpu": ratios(theirs, ours, "cpu_s"),
        "ratio_wall": ratios(theirs, ours, "wall_s"),
        "loss": {"first": losses[0], "last": losses[-1], "largest_relative_difference": max(apart)},
    }


def spread(tokens: int, runs: list[dict[str, Any]], clock: str) -> dict[str, int]:
    """Median, least and most tokens a second."""
    rates = [tokens / run[clock] for run in runs]
    return {"median": round(statistics.median(rates)), "least": round(min(rates)), "most": round(max(rates))}


def ratios(slow: list[dict[str, Any]], fast: list[dict[str, Any]], clock: str) -> dict[str, float]:
    """Median and extremes of how many times faster, pair by pair."""
    each = [one[clock] / other[clock] for one, other in zip(slow, fast, strict=True)]
    return {"median": round(statistics.median(each), 3), "least": round(min(each), 3), "most": round(max(each), 3)}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/benchmark-training"))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    result = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "torch": torch.__version__,
        "steps": chosen.steps,
        "repeats": chosen.repeats,
        **compare(chosen.work, chosen.peer_python, chosen.steps, chosen.repeats),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
