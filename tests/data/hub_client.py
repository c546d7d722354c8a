"""A process that loads a dataset of the catalogue and prints what it got as JSON; started by test_hub.py."""

from __future__ import annotations

import json
import sys
import time

from halo_forge.core.errors import HaloError
from halo_forge.data import load_catalogue_conversations


def main() -> None:
    time.sleep = lambda seconds: None  # the Hub's library waits half a minute before it gives a host up
    try:
        loaded = load_catalogue_conversations(sys.argv[1], max_samples=int(sys.argv[2]), seed=1)
    except HaloError as error:
        print(json.dumps({"error": type(error).__name__, "text": str(error)}))
    else:
        rows = [[row.id, *(message.content for message in row.messages)] for row in loaded.conversations]
        print(json.dumps({**loaded._asdict(), "conversations": rows}))


if __name__ == "__main__":
    main()
