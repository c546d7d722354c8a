"""What may still be spent, counting each request under way at the most that it can cost."""

from __future__ import annotations

from halo_forge.core.errors import ConfigError
from halo_forge.datagen.ledger import Use
from halo_forge.datagen.prices import Price


class Budget:
    """A limit on the estimated cost of all requests of a ledger.

    Args:
        limit: US dollars; None for no limit.
        price: None where it is not known.

    Raises:
        ConfigError: there is a limit and no price.
    """

    def __init__(self, limit: float | None, price: Price | None, model: str) -> None:
        if limit is not None and price is None:
            raise ConfigError(
                f"--budget needs a price, and none is known for '{model}' here: "
                "add --price-per-million IN,OUT with the US dollars for a million tokens in and out"
            )
        self.limit = limit
        self.price = price

    def cost(self, use: Use) -> float | None:
        """Return the estimated US dollars, requests that may have been paid among them; None without a price."""
        return None if self.price is None else self.price.cost(use.tokens_in, use.tokens_out)

    def allows(self, use: Use, most_in: int, most_out: int) -> bool:
        """Whether a further request, at its most, stays within the limit."""
        if self.limit is None or self.price is None:
            return True
        return self.price.cost(use.tokens_in + most_in, use.tokens_out + most_out) <= self.limit
