"""A process that takes whole datasets from the Hub with its own libraries; started by test_hub_contract.py.

Its argument lists jobs as JSON, `{"hub_id", "files", "columns"}`; it prints for each the folder of its snapshot, and
how many rows `load_dataset` gives at once and streamed. `files` is empty where there is a loading script in the
repository, at which the library gives up.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from datasets import load_dataset
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError


def taken(hub_id: str, files: list[str], columns: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"snapshot": snapshot_download(hub_id, repo_type="dataset")}
    if files:
        whole = load_dataset(hub_id, data_files={"x": files}, split="x")
        streamed = load_dataset(hub_id, data_files={"x": files}, split="x", streaming=True)
        rows = list(streamed if streamed.features is None else streamed.decode(False))
        found["rows"] = [len(whole), len(rows)]
        found["lacking"] = sorted({*columns} - {*whole.column_names} | {*columns} - {*rows[0]})
    return found


def main() -> None:
    answers: list[dict[str, Any]] = []
    for job in json.loads(sys.argv[1]):
        try:
            answers.append(taken(**job))
        except HfHubHTTPError as error:
            answers.append({"error": type(error).__name__})
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
