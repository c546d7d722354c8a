"""Checks of a file against benchmarks, recorded in its sidecar and read again when the file is used.

A record belongs to the bytes of its file: once the file has changed, it says nothing any more.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from halo_forge.core.errors import DataError
from halo_forge.core.types import Record
from halo_forge.data.sidecar import Counts, Sidecar, hash_content, read_sidecar, write_sidecar

DECONTAMINATE = "data decontaminate"


class Check(Record):
    """A comparison of a file with a benchmark.

    Args:
        against: the benchmark.
        sha256: hash of its prompts and references.
        items: its problems.
        rows: rows of the file that were compared.
        hits: of these, rows that hold one of the problems.
        removed: whether those are left out of this file.
        ngram: words of a run that had to be shared.
        near: share of a problem's 5-word runs that had to be there.
    """

    against: str
    sha256: str
    items: int
    rows: int
    hits: int
    removed: bool = False
    ngram: int
    near: float

    @property
    def left(self) -> int:
        """Rows of the file that hold a problem."""
        return 0 if self.removed else self.hits


def record_checks(source: Path, output: Path, sha256: str, kept: int, checks: list[Check]) -> None:
    """Write down what was found: beside the file that was compared, and beside its cleaned copy.

    Args:
        sha256: hash of the copy's bytes.
        kept: its rows.
    """
    before = hash_content(source)
    known = _known(source, before)
    rows = checks[0].rows if checks else kept
    found = known or Sidecar(
        made_by="a file of the user's", source=str(source), sha256=before, counts=Counts(read=rows, kept=rows)
    )
    _write(source, found, checks)
    cleaned = [check.model_copy(update={"removed": True}) for check in checks]
    copy = found.model_copy(
        update={
            "made_by": DECONTAMINATE,
            "source": found.source if known else str(source),
            "sha256": sha256,
            "counts": Counts(read=rows, kept=kept, dropped={"holds a problem of a benchmark": rows - kept}),
            "fingerprint": "",
        }
    )
    _write(output, copy, cleaned)


def read_checks(path: Path, sha256: str) -> tuple[Check, ...]:
    """Return the checks that are recorded beside a file whose bytes have this hash; () where there are none.

    Raises:
        DataError: the sidecar cannot be read.
    """
    sidecar = _known(path, sha256)
    try:
        return tuple(Check.model_validate(entry) for entry in sidecar.contamination) if sidecar else ()
    except ValidationError as error:
        raise DataError(f"the checks recorded in {path}.meta.json are not of this version: {error}") from error


def _known(path: Path, sha256: str) -> Sidecar | None:
    sidecar = read_sidecar(path)
    return sidecar if sidecar is not None and sidecar.sha256 == sha256 else None


def _write(path: Path, sidecar: Sidecar, checks: list[Check]) -> None:
    """Add checks; one against the same benchmark takes the place of an earlier one."""
    again = {check.against for check in checks}
    others = [entry for entry in sidecar.contamination if entry.get("against") not in again]
    entries = (*others, *(check.model_dump(mode="json") for check in checks))
    write_sidecar(path, sidecar.model_copy(update={"contamination": entries}))
