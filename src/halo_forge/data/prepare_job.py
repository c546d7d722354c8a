"""What a file of rows is to be made of, and what is refused before a row of it is read."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from hashlib import sha256

from halo_forge.config.prepare import PrepareConfig
from halo_forge.core.errors import DataError, EnvironmentFault, RunConflictError
from halo_forge.data.catalog import Convert, Dataset, Part, Use
from halo_forge.data.ledger import forget
from halo_forge.data.origin import Origin
from halo_forge.data.sidecar import Sidecar, read_sidecar, sidecar_path

VERSION = 1
SPARE_BYTES = 64 << 20


@dataclass(frozen=True)
class Job:
    """What is to be made of what."""

    config: PrepareConfig
    dataset: Dataset
    split: str
    part: Part
    use: Use
    convert: Convert
    origin: Origin

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides the rows."""
        files = [f"{file.name} {file.mark}" for file in self.origin.files]
        # Left out while it is off, so that files made before there was such a setting keep their fingerprint.
        unset = set() if self.config.media_urls else {"media_urls"}
        settings = self.config.model_dump_json(exclude={"output", "dataset", "revision"} | unset)
        words = [VERSION, self.dataset.name, self.origin.source, self.origin.revision, self.split, settings, *files]
        return sha256("\n".join(str(word) for word in words).encode()).hexdigest()


def made_before(job: Job) -> Sidecar | None:
    """Return the sidecar of a file that this very command made before.

    Raises:
        RunConflictError: the output is there and something else.
    """
    output = job.config.output
    if not output.exists():
        return None
    sidecar = read_sidecar(output)
    if sidecar is None or sidecar.fingerprint != job.fingerprint:
        what = f"{sidecar.dataset or sidecar.source}, split {sidecar.split}" if sidecar else "something else"
        raise RunConflictError(
            f"{output} is there already and holds {what}, made with other settings or from other files: remove it (and "
            f"{sidecar_path(output).name}), or choose another --output"
        )
    forget(output)
    return sidecar


def check_columns(job: Job) -> None:
    """Refuse a source that no longer has the columns its entry reads, before a row of it is read."""
    there = job.origin.columns()
    if there is None:
        return
    missing = [column for column in (*job.dataset.columns, *job.config.filters) if column not in there]
    if missing:
        raise DataError(
            f"{job.origin.named} lacks {', '.join(missing)} among its columns, now "
            f"{', '.join(there)}: give an older --revision, or describe it in a YAML file of your own"
        )


def check_disk(job: Job) -> None:
    """Refuse to begin what cannot end: media take as much as the files they come from."""
    rows = job.dataset.rows_of(job.split)
    share = min(1.0, job.config.max_samples / rows) if job.config.max_samples and rows else 1.0
    needed = int(job.origin.size * share) if not job.dataset.media_root else 0
    free = shutil.disk_usage(job.config.output.parent).free
    if free < needed + SPARE_BYTES:
        raise EnvironmentFault(
            f"{job.config.output.parent.resolve()} has {free / 1e9:.1f} GB left, but {job.dataset.name} (split "
            f"'{job.split}') needs about {needed / 1e9:.1f} GB: free some, choose another --output, or take fewer rows "
            "with --max-samples"
        )
