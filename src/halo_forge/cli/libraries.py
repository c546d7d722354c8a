"""Keeping the machine-learning libraries off the terminal."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

QUIET = {
    "DATASETS_VERBOSITY": "error",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


@contextmanager
def quiet_libraries(*, debug: bool) -> Iterator[None]:
    """Silence warnings, logs and progress bars of libraries that are imported within, unless debugging.

    They read these variables when they are imported; one that the user has set stays as it is.
    """
    # The tokenizer's own threads do not survive the forks of the sandbox, and say so on every one of them.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Waiting threads that spin take the cores that the verifier needs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if debug:
        yield
        return
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
