"""How many parameters a model has: said as a size, or counted."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from struct import unpack

from halo_forge.core.errors import ModelError
from halo_forge.models.resolve import ModelRef, resolve_model

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([MB]?)", re.IGNORECASE)
TAKEN = "--model takes a size such as 7B or 350M, a model's folder or its Hub id"
UNITS = {"": 1.0, "m": 1e6, "b": 1e9}


def read_size(text: str) -> float:
    """Return the parameters of a size such as 7B or 350M, or of a model by its folder or Hub id.

    Raises:
        ModelError: it is neither, or the model's parameters cannot be counted.
    """
    match = SIZE.fullmatch(text.strip())
    if match is not None and float(match[1]) > 0:
        return float(match[1]) * UNITS[match[2].lower()]
    if match is not None and not Path(text).exists():
        raise ModelError(f"{TAKEN}: a model of {text} parameters is none")  # which the Hub need not be asked
    try:
        return count_parameters(resolve_model(text))
    except ModelError as error:
        raise ModelError(f"{TAKEN}: {error}") from error


def count_parameters(ref: ModelRef) -> int:
    """Count the parameters of a model, those of an adapter left out, without its weights.

    Raises:
        ModelError: they cannot be counted.
    """
    files = sorted(Path(ref.base).glob("*.safetensors"))
    if files:
        return sum(_in_head(file) for file in files)
    from halo_forge.training.memory import read_shape

    shape = read_shape(ref)
    if shape is None:
        raise ModelError(f"the parameters of '{ref.base}' cannot be counted by its config: say its size, such as 7B")
    return shape.parameters


def _in_head(file: Path) -> int:
    """Count by the head of a file of weights."""
    with file.open("rb") as content:
        head = json.loads(content.read(unpack("<Q", content.read(8))[0]))
    return sum(math.prod(entry["shape"]) for name, entry in head.items() if name != "__metadata__")
