"""Settings of the commands that check and clean a file of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from halo_forge.config.options import CommandConfig, option
from halo_forge.config.shared import DATA, MODEL, RUN, SELECTION


class ProcessOptions(CommandConfig):
    """How the work is spread."""

    processes: int | None = option(
        None, "Processes that work on rows; by default 1, and 2 for a file above 16 MiB.", section=RUN, ge=1, le=64
    )


class ValidateConfig(ProcessOptions):
    """Check a file of rows: form, roles, blank and overlong rows, duplicates, broken lines, languages, lengths.

    The exit code is 0 if there is nothing to mend, and 1 if there is; the findings name the lines.
    """

    kind: Literal["auto", "conversations", "prompts"] = option(
        "auto", "What the rows should be; auto takes what the first usable row is.", section=DATA
    )
    fix: Path | None = option(
        None,
        "Write a cleaned copy to this file, and what was changed, line by line, beside it (.changes.jsonl).",
        section=DATA,
    )
    preview: int = option(0, "Rows to show as the model reads them.", section=DATA, ge=0, le=1000)
    model: str | None = option(
        None, "Hub id or folder of a model, whose tokenizer and chat template count the tokens.", section=MODEL
    )
    max_length: int | None = option(
        None, "Tokens a row may have; longer ones are findings. Needs --model.", section=MODEL, ge=1
    )

    @model_validator(mode="after")
    def _length_of_what(self) -> ValidateConfig:
        if self.max_length is not None and self.model is None:
            raise ValueError("--max-length counts tokens, so it needs --model")
        return self


class DedupConfig(ProcessOptions):
    """Leave out rows that are there already: equal ones, and unless --exact nearly equal ones; the first is kept."""

    output: Path = option(..., "JSONL file for the rows that are kept, unchanged and in their order.", section=DATA)
    report: Path | None = option(None, "JSONL file for the groups of duplicates, one a line.", section=DATA)
    exact: bool = option(
        False, "Leave out equal rows only: equal but for blanks at the ends of lines.", section=SELECTION
    )
    threshold: float = option(
        0.8, "Jaccard similarity from which rows are near duplicates, 0.5 to 1.", section=SELECTION, ge=0.5, le=1
    )
    ngram: int = option(5, "Words a shingle, by which similarity is measured.", section=SELECTION, ge=1, le=50)
    compare: Literal["row", "question"] = option(
        "row", "What is compared: all that a row says, or only what it asks.", section=SELECTION
    )


class DecontaminateConfig(ProcessOptions):
    """Leave out rows that hold a problem of a benchmark, or one of its solutions."""

    against: tuple[str, ...] = option(
        ..., "Benchmarks of the catalogue, such as humaneval,mbpp,gsm8k, or files of prompts.", section=SELECTION
    )
    output: Path = option(..., "JSONL file for the rows that are kept, unchanged and in their order.", section=DATA)
    report: Path | None = option(
        None, "JSONL file for the hits; by default the output's name with .hits.jsonl behind.", section=DATA
    )
    ngram: int = option(13, "Words in a row that must be shared with a problem's text.", section=SELECTION, ge=8, le=50)
    near: float = option(
        0.8,
        "Share of a problem's, or of a solution's, 5-word runs from which a row holds it nevertheless, above 0 to 1.",
        section=SELECTION,
        gt=0,
        le=1,
    )


class SplitConfig(ProcessOptions):
    """Split a file so that rows of one group stay together; where a row goes depends on its group and the seed only."""

    output_folder: Path = option(..., "Folder for the parts.", section=DATA)
    fractions: tuple[float, ...] = option(
        (0.9, 0.1), "Share of the rows that each part gets; they add up to 1.", section=SELECTION
    )
    names: tuple[str, ...] = option(
        (), "Names of the parts; by default train,test or train,validation,test.", section=SELECTION
    )
    by: str = option(
        "problem",
        "What a group has in common: problem, tools, speaker, none (equal rows only), or the name of a column.",
        section=SELECTION,
    )
    seed: int = option(0, "Another seed gives another split.", section=RUN, ge=0)

    @model_validator(mode="after")
    def _whole(self) -> SplitConfig:
        if len(self.fractions) < 2 or min(self.fractions) <= 0 or abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError("--fractions must be two or more shares above 0 that add up to 1, such as 0.9,0.1")
        if self.names and (len(set(self.names)) != len(self.fractions)):
            raise ValueError(f"--names must name each of the {len(self.fractions)} parts once")
        if any(not name or "/" in name or name.startswith(".") for name in self.names):
            raise ValueError("--names are file names without a folder")
        return self

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts."""
        if self.names:
            return self.names
        usual = {2: ("train", "test"), 3: ("train", "validation", "test")}
        count = len(self.fractions)
        return usual.get(count, tuple(f"part_{number}" for number in range(1, count + 1)))
