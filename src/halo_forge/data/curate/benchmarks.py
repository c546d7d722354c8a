"""What of a benchmark must not be learnt: the texts of its problems and their solutions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import ConfigError
from halo_forge.core.types import Prompt
from halo_forge.data.catalog import all_datasets
from halo_forge.data.hub import load_catalogue_prompts
from halo_forge.data.prompts import load_prompts, prompts_hash
from halo_forge.data.references import HUMANEVAL_INSTRUCTION, MBPP_INSTRUCTION

# Our own words around a published problem, which say nothing about whether a row holds it; longer ones first.
FRAME = re.compile(
    "|".join(
        re.escape(frame)
        for instruction in (HUMANEVAL_INSTRUCTION, MBPP_INSTRUCTION)
        for frame in sorted(re.split(r"\{\w+\}", instruction), key=len, reverse=True)
        if frame.strip(" `\n")
    )
    + r"|```\w*"
)


class Item(NamedTuple):
    """A problem of a benchmark.

    Args:
        id: its id there.
        segments: the pieces of its text; the first is what it asks.
        solution: its known solution, or "".
    """

    id: str
    segments: tuple[str, ...]
    solution: str


class Benchmark(NamedTuple):
    """What rows are compared with.

    Args:
        name: as the user named it.
        sha256: hash of its prompts and references, in whatever order.
    """

    name: str
    sha256: str
    items: tuple[Item, ...]


def load_benchmark(name: str) -> Benchmark:
    """Load the problems of a benchmark of the catalogue, or of a file of prompts.

    Raises:
        ConfigError: there is neither a file nor a benchmark of that name.
        DataError: it cannot be loaded.
    """
    path = Path(name)
    if path.is_file():
        return make_benchmark(path.name, load_prompts(path))
    known = [dataset.name for dataset in all_datasets() if dataset.use != "sft"]
    if name not in known:
        close = get_close_matches(name, known, n=1)
        meant = f"; did you mean '{close[0]}'?" if close else ";"
        raise ConfigError(f"--against '{name}': there is no such file{meant} benchmarks by name: {', '.join(known)}")
    return make_benchmark(name, load_catalogue_prompts(name))


def make_benchmark(name: str, prompts: Sequence[Prompt]) -> Benchmark:
    """Gather the texts of prompts and of their solutions."""
    items = tuple(Item(prompt.id, _segments(prompt), prompt.reference.solution or "") for prompt in prompts)
    return Benchmark(name, prompts_hash(prompts), items)


def _segments(prompt: Prompt) -> tuple[str, ...]:
    text = "\n".join(message.text for message in prompt.messages if message.role == "user")
    return tuple(piece for piece in FRAME.split(text) if piece.strip())
