"""A process that prepares datasets one after the other and prints what came of each; started by test_prepare_hub.py.

Its argument is a list of settings as JSON. `compare` in one of them reads the same files with the `datasets` library
as well, and says whether both saw the same rows.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from halo_forge.config.prepare import PrepareConfig
from halo_forge.core.errors import HaloError
from halo_forge.data.origin import open_origin
from halo_forge.data.prepare import open_dataset, prepare
from halo_forge.data.tables import read_table


def same_rows(settings: PrepareConfig) -> int:
    """Count the rows that the library streams, after comparing each with ours."""
    from datasets import load_dataset

    dataset = open_dataset(settings.dataset)
    split, part = dataset.part(settings.split)
    origin = open_origin(dataset, split, part, settings.revision, None)
    names = [file.name for file in origin.files]
    streamed = load_dataset(origin.source, data_files={"x": names}, split="x", streaming=True, revision=origin.revision)
    if streamed.features is not None:
        streamed = streamed.decode(False)
    ours = [row for file in origin.files for _, row in read_table(file.opened(), file.name)]
    theirs = [dict(row) for row in streamed]
    for mine, other in zip(ours, theirs, strict=True):
        labels = {key for key, value in mine.items() if isinstance(value, str) and isinstance(other[key], int)}
        left = {key: value for key, value in mine.items() if key not in labels}
        right = {key: value for key, value in other.items() if key not in labels}
        # The library reads what looks like a time in JSON lines as one.
        assert json.dumps(left, default=repr) == json.dumps(right, default=_as_text), (left, right)
    return len(theirs)


def _as_text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


def main() -> None:
    time.sleep = lambda seconds: None  # the Hub's library waits half a minute before it gives a host up
    found: list[dict[str, Any]] = []
    for job in json.loads(sys.argv[1]):
        compare = job.pop("compare", False)
        settings = PrepareConfig.model_validate(job)
        try:
            sidecar = json.loads(prepare(settings).model_dump_json())
            found.append({**sidecar, "compared": same_rows(settings) if compare else None})
        except HaloError as error:
            found.append({"error": type(error).__name__, "text": str(error)})
    print(json.dumps(found))


if __name__ == "__main__":
    main()
