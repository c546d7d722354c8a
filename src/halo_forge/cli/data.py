"""`halo-forge data`: rows before they are trained on. Each command has a file of its own."""

from __future__ import annotations

from halo_forge.cli.deferred import Deferred, LazyGroup

data = LazyGroup(
    "data",
    help="Datasets of the catalogue as files, and files made, checked and cleaned.",
    commands=(
        Deferred("prepare", "halo_forge.cli.prepare:prepare", "A dataset of the catalogue, or your own, as a file."),
        Deferred("generate", "halo_forge.cli.generate:generate", "Rows written by a model behind an API."),
        Deferred(
            "validate", "halo_forge.cli.validate:validate", "Whether the rows of a file can be used, and mend it."
        ),
        Deferred("dedup", "halo_forge.cli.curate:dedup", "Leave out equal and nearly equal rows."),
        Deferred(
            "decontaminate", "halo_forge.cli.curate:decontaminate", "Leave out rows that hold a benchmark's problem."
        ),
        Deferred("split", "halo_forge.cli.curate:split", "Split a file by groups, so that nothing leaks."),
    ),
)
