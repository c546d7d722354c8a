"""An engine as a process: `python -m engine_process … --model DIR --host HOST --port PORT`, see `completion_server`.

Other words are read over, as they are for engines that exist.
"""

from __future__ import annotations

import os
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path

from completion_server import LOADING, CompletionServer, Handler

from halo_forge.models.load import load_policy
from halo_forge.models.resolve import ModelRef


def main() -> None:
    """Serve until killed."""
    words = dict(zip(sys.argv[1:], sys.argv[2:], strict=False))
    folder = Path(words["--model"])
    print("loading", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)

    class Serving(Handler):
        served = CompletionServer(folder, load_policy(ModelRef(str(folder)), LOADING))

    if "ENGINE_FAILS" in os.environ:
        sys.exit("the engine does not like this model")
    ThreadingHTTPServer((words["--host"], int(words["--port"])), Serving).serve_forever()


if __name__ == "__main__":
    main()
