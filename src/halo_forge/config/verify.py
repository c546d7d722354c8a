"""Settings of judging what is there already."""

from __future__ import annotations

from pathlib import Path

from pydantic import model_validator

from halo_forge.config.options import option
from halo_forge.config.shared import DATA, RUN, VerifierOptions


class VerifyConfig(VerifierOptions):
    """Judge completions that are there already: a JSONL file of rows with --output, or one program without it.

    IN is a file, or - for standard input. A row has its tests and a completion; its verdict becomes one line of the
    output, and the same command continues after an interruption. For one program the verdict is printed, and the exit
    code is 0 if it passed, 1 if it did not, and 3 if it could not be verified.
    """

    output: Path | None = option(None, "JSONL file for one verdict a row, in the order of the rows.", section=RUN)
    tests: Path | None = option(
        None,
        "For one program: a file of asserts, or of JSON (a list of tests, or the columns of a row).",
        section=DATA,
    )
    entry_point: str | None = option(
        None, "For one program: the function that the tests call, or that it must define.", section=DATA
    )

    @model_validator(mode="after")
    def _one_kind(self) -> VerifyConfig:
        if self.output is not None and (self.tests is not None or self.entry_point is not None):
            raise ValueError("--tests and --entry-point are for one program; with --output each row brings its own")
        return self
