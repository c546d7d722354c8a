"""What tokens cost, by a table with dates; what follows from it is an estimate."""

from __future__ import annotations

from datetime import date
from importlib.resources import files

import yaml

from halo_forge.core.types import Record

TABLE = files("halo_forge.datagen") / "prices.yaml"
MILLION = 1_000_000


class Price(Record):
    """US dollars for a million tokens.

    Args:
        as_of: the day on which the provider published them; None for the user's own figures.
    """

    input: float
    output: float
    as_of: date | None = None

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """Return US dollars."""
        return (tokens_in * self.input + tokens_out * self.output) / MILLION


def read_prices() -> dict[str, dict[str, Price]]:
    """Return backend -> model -> price."""
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return {
        backend: {model: Price.model_validate(values) for model, values in models.items()}
        for backend, models in table.items()
    }


def find_price(backend: str, model: str, base_url: str | None) -> Price | None:
    """Return what a model costs; None where that is not known, as at an address of the user's own."""
    if backend == "ollama":
        return Price(input=0, output=0)
    return None if base_url else read_prices().get(backend, {}).get(model)
