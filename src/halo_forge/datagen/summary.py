"""What `data generate` amounts to, and the file beside the output that says so."""

from __future__ import annotations

from pydantic import JsonValue

from halo_forge import __version__
from halo_forge.core.types import Record
from halo_forge.data.sidecar import Counts, Sidecar
from halo_forge.datagen.budget import Budget
from halo_forge.datagen.ledger import Ledger
from halo_forge.datagen.prices import Price
from halo_forge.datagen.rows import Tally


class Spending(Record):
    """What the ledger's requests took, those of earlier attempts included.

    Args:
        requests: all that were sent.
        maybe_paid: those that brought nothing and may have been paid all the same; counted at their most.
        untold: answers whose tokens the server did not tell; counted at their most.
        price: US dollars for a million tokens; None where it is not known.
        cost_usd: an estimate, never a bill.
    """

    requests: int
    maybe_paid: int
    untold: int
    tokens_in: int
    tokens_out: int
    price: Price | None
    cost_usd: float | None


class GenerateSummary(Record):
    """Result of `data generate`.

    Args:
        asked: answers asked for.
        answers: those that are there.
        kept: rows of the output.
        dropped: reason -> answers that cannot be used.
        rejected: stage -> answers that the verifier found wrong there.
        unverifiable: cause -> answers on which there is no verdict; they are not kept.
        left_out: reason -> items that stayed without an answer in this attempt.
        by_budget: whether the budget ended it before all were asked.
        verifier: None where answers were not judged.
    """

    output: str
    topic: str
    backend: str
    model: str
    asked: int
    answers: int
    kept: int
    dropped: dict[str, int]
    rejected: dict[str, int]
    unverifiable: dict[str, int]
    left_out: dict[str, int]
    by_budget: bool
    verifier: str | None
    spending: Spending
    wall_s: float


def spending(ledger: Ledger, budget: Budget) -> Spending:
    """Sum up a ledger."""
    use = ledger.use
    return Spending(
        requests=use.requests,
        maybe_paid=use.maybe_paid,
        untold=use.untold,
        tokens_in=use.tokens_in,
        tokens_out=use.tokens_out,
        price=budget.price,
        cost_usd=budget.cost(use),
    )


def sidecar(summary: GenerateSummary, tally: Tally, settings: dict[str, JsonValue]) -> Sidecar:
    """Return what `FILE.meta.json` says: where the rows come from, what was left out, and what they took."""
    rejected = {f"rejected by the verifier at {stage}": count for stage, count in summary.rejected.items()}
    unverifiable = {f"could not be verified: {cause}": count for cause, count in summary.unverifiable.items()}
    took = summary.model_dump(mode="json", exclude={"output", "wall_s", "left_out", "by_budget", "dropped"})
    return Sidecar(
        made_by="data generate",
        source=f"written by {summary.model}",
        use="sft" if tally.form == "conversations" else "rlvr",
        counts=Counts(read=summary.answers, kept=summary.kept, dropped=summary.dropped | rejected | unverifiable),
        sha256=tally.sha256,
        settings=settings,
        generation={"version": __version__, **took},
    )
