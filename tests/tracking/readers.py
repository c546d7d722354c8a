"""Reads back what a tracker stored, in a process of its own, and prints [axis/name, step, value] rows as JSON."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = tuple[str, int, float]
HEADER, BLOCK = 7, 32_768


def mlflow(project: str) -> tuple[list[Row], dict[str, str]]:
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name(project)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    rows = [
        (name, m.step, m.value) for name in run.data.metrics for m in client.get_metric_history(run.info.run_id, name)
    ]
    return rows, {**run.data.params, "status": run.info.status}


def trackio(project: str) -> tuple[list[Row], dict[str, str]]:
    from trackio.sqlite_storage import SQLiteStorage

    (run,) = SQLiteStorage.get_run_records(project)
    logs = SQLiteStorage.get_logs(project, run["name"])
    rows = [(k, log["step"], v) for log in logs for k, v in log.items() if k not in ("step", "timestamp")]
    return rows, SQLiteStorage.get_run_config(project, run["name"]) or {}


def wandb(folder: str) -> tuple[list[Row], dict[str, str]]:
    from wandb.proto.wandb_internal_pb2 import Record

    rows: list[Row] = []
    config: dict[str, str] = {}
    for file in sorted(Path(folder).glob("wandb/*run-*/*.wandb")):
        for data in _records(file.read_bytes()):
            record = Record.FromString(data)
            if record.HasField("run"):
                config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
            if record.HasField("exit"):
                config["exit"] = str(record.exit.exit_code)
            items = {_name(item): json.loads(item.value_json) for item in record.history.item}
            for name, value in items.items():
                axis = name.partition("/")[0]
                if not name.startswith("_") and name != f"{axis}/step":
                    rows.append((name, items[f"{axis}/step"], value))
            summary = {_name(item): json.loads(item.value_json) for item in record.summary.update}
            rows += [(name, 0, value) for name, value in summary.items() if name.startswith("result/")]
    return rows, config


def _name(item: Any) -> str:
    return item.key or "/".join(item.nested_key)


def _records(data: bytes) -> Iterator[bytes]:
    """Records of a LevelDB log: blocks of 32 KiB of (crc, length, kind) and a part of a record."""
    place, whole = HEADER, b""
    while place + 7 <= len(data):
        left = BLOCK - place % BLOCK
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


if __name__ == "__main__":
    found, settings = {"mlflow": mlflow, "trackio": trackio, "wandb": wandb}[sys.argv[1]](sys.argv[2])
    print(json.dumps([found, settings]))
