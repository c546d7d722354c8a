"""The rates of a machine and a model, by which a run is foretold."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from halo_forge.core.errors import ConfigError
from halo_forge.core.types import Record


class Shape(Record):
    """How large a run is, and how it is cut.

    Args:
        prompts: of the run, those held out among them.
        rows_per_chunk: completions drawn at the same time.
    """

    prompts: int = Field(ge=1)
    holdout_fraction: float = Field(ge=0, le=0.5)
    samples: int = Field(ge=1)
    rows_per_chunk: int = Field(ge=1)
    cycles: int = Field(ge=1)
    epochs: float = Field(gt=0)


class Novelty(Record):
    """Completions that must be judged: those that no earlier one of the run is equal to.

    A model that is trained on its own answers repeats itself more and more. Measured is a share for each of the first
    collections; later ones go on as a power of their number, through the last two that were measured.

    Args:
        fresh: share of the completions of collection 1, 2, …, 0 to 1.
        verdict_s: worker-seconds that judging one of them takes while nothing is drawn.
    """

    fresh: tuple[float, ...] = Field(min_length=1)
    verdict_s: tuple[float, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_range(self) -> Novelty:
        if not all(0 <= share <= 1 for share in self.fresh) or not all(seconds >= 0 for seconds in self.verdict_s):
            raise ValueError("fresh holds shares from 0 to 1, and verdict_s seconds from 0")
        return self

    def share(self, number: int) -> float:
        """Return the share of collection `number`, from 1."""
        known = len(self.fresh)
        if number <= known:
            return self.fresh[number - 1]
        last = self.fresh[-1]
        if known == 1 or last == 0 or last >= self.fresh[-2]:
            return last
        # before · (known / (known - 1)) ** -power == last
        return float(last * (last / self.fresh[-2]) ** (_log_ratio(number, known) / _log_ratio(known, known - 1)))

    def seconds(self, number: int) -> float:
        """Return the worker-seconds for one fresh completion of collection `number`."""
        return self.verdict_s[min(number, len(self.verdict_s)) - 1]


class Rates(Record):
    """How fast a machine is with a model, and what a run leaves behind.

    Args:
        step_s: seconds that a decoding step takes, however few rows there are.
        token_s: seconds that each row adds to a step.
        mean_tokens: tokens a completion.
        lengths: of completions in tokens, at even steps from the shortest to the longest; a chunk is decoded until its
            longest completion ends. Without them all are taken to be equally long.
        novelty: of what is drawn to train on; its first collection is that of cycle 1.
        held_novelty: of what is drawn for the held-out prompts; its first collection is that of the start model.
        lookup_s: seconds for each completion, whether its verdict is known or not.
        workers: programs checked at the same time.
        slowdown: how many times as long drawing takes while programs are judged; 1 where the two share nothing. What
            judging loses follows from it, see `chunks.judging_loses`.
        learnt_tokens_per_s: completion tokens trained on, all passes counted.
        learnt_tokens_per_row: in one pass.
        rows_per_prompt: rows trained on for each prompt, cycle by cycle.
        accumulates: whether a cycle trains on the rows of the earlier ones as well.
        round_s: seconds that a round of training takes besides its steps.
        start_s: seconds before the first completion is drawn.
        store_s: seconds to put a completion with its verdict on disk.
        completion_bytes: on disk, with its verdict and its place in the index.
        checkpoint_bytes: on disk.
        parameters: of the model that was measured, where they could be counted.
        measured: the run that was measured.
        samples: completions a prompt for which `novelty` and `rows_per_prompt` hold.
        tuning: what the measured run trained: full, lora or qlora.
        others: processors that other work took while this was measured, as far as is known.
    """

    source: str = ""
    step_s: float = Field(0.0, ge=0)
    token_s: float = Field(ge=0)
    mean_tokens: float = Field(gt=0)
    lengths: tuple[float, ...] = ()
    novelty: Novelty
    held_novelty: Novelty | None = None
    lookup_s: float = Field(0.0, ge=0)
    workers: int = Field(ge=1)
    slowdown: float = Field(1.0, ge=1)
    learnt_tokens_per_s: float = Field(gt=0)
    learnt_tokens_per_row: float = Field(gt=0)
    rows_per_prompt: tuple[float, ...] = Field(min_length=1)
    accumulates: bool = False
    round_s: float = Field(0.0, ge=0)
    start_s: float = Field(0.0, ge=0)
    store_s: float = Field(0.0, ge=0)
    completion_bytes: float = Field(0.0, ge=0)
    checkpoint_bytes: float = Field(0.0, ge=0)
    parameters: float | None = Field(None, gt=0)
    measured: Shape | None = None
    samples: int | None = Field(None, ge=1)
    tuning: Literal["lora", "qlora", "full"] | None = None
    others: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _drawing_takes_time(self) -> Rates:
        if self.step_s + self.token_s <= 0:
            raise ValueError("step_s or token_s must be above 0")
        return self

    def longest(self, rows: int) -> float:
        """Return the expected tokens of the longest of so many completions."""
        if not self.lengths or rows < 1:
            return self.mean_tokens
        # Each of n lengths is as likely: the longest of r draws is at most the i-th with a chance of (i / n) ** r.
        count = len(self.lengths)
        chances = [(place / count) ** rows for place in range(count + 1)]
        return sum(
            length * (upto - below)
            for length, below, upto in zip(sorted(self.lengths), chances, chances[1:], strict=False)
        )

    def rows(self, cycle: int) -> float:
        """Return the rows that a cycle trains on for each prompt.

        After those that were measured a cycle adds rows as it draws what is new; without `accumulates` it is like the
        last.
        """
        known = len(self.rows_per_prompt)
        rows = self.rows_per_prompt[min(cycle, known) - 1]
        if not self.accumulates or known < 2:
            return rows
        added = max(0.0, self.rows_per_prompt[-1] - self.rows_per_prompt[-2])
        last = self.novelty.share(known)
        return rows + sum(added * self.novelty.share(n) / last for n in range(known + 1, cycle + 1) if last)

    def for_parameters(self, parameters: float) -> Rates:
        """Rates of a model of another size: drawing, training and checkpoints in proportion.

        Raises:
            ConfigError: the size of the model that was measured is not known.
        """
        if self.parameters is None:
            raise ConfigError(
                "--model scales what was measured, and the size of the model that was measured is not known: "
                "say it as `parameters` in a file of rates"
            )
        times = parameters / self.parameters
        return self.model_copy(
            update={
                "step_s": self.step_s * times,
                "token_s": self.token_s * times,
                "learnt_tokens_per_s": self.learnt_tokens_per_s / times,
                "checkpoint_bytes": self.checkpoint_bytes * times,
                "parameters": parameters,
            }
        )


def read_rates_file(file: Path) -> Rates:
    """Read rates as YAML or JSON; what `plan --json` wrote has them under `rates`.

    Raises:
        ConfigError: they are not there, or not such numbers.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Rates.model_validate(content.get("rates", content) if isinstance(content, dict) else content)
    except OSError as error:
        raise ConfigError(f"cannot read --rates {file}: {error.strerror}") from error
    except (yaml.YAMLError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else " ".join(str(error).split())
        raise ConfigError(f"--rates {file} holds no rates: {what}; it has {', '.join(Rates.model_fields)}") from error


def _log_ratio(above: float, below: float) -> float:
    return math.log(above / below)
