"""`halo-forge benchmark compare`."""

from __future__ import annotations

import click

from halo_forge.cli.comparison_tables import show_comparison
from halo_forge.cli.console import results_console
from halo_forge.cli.errors import debug_option


@click.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--prompts", "list_prompts", is_flag=True, help="Also list the ids of the prompts that changed.")
@click.option("--allow-different-sampling", is_flag=True, help="Compare although temperature, samples … differ.")
@click.option("--allow-different-verifier", is_flag=True, help="Compare although the verifier or its version differs.")
@click.option("--json", "as_json", is_flag=True, help="Write the comparison to stdout as JSON, and nothing else.")
def compare(
    runs: tuple[str, ...],
    list_prompts: bool,
    allow_different_sampling: bool,
    allow_different_verifier: bool,
    as_json: bool,
) -> None:
    """Tell whether models differ on the same prompts.

    RUNS are folders of finished benchmarks, or of RAFT runs, whose held-out prompts are then compared: FOLDER for the
    published cycle, FOLDER@2 for cycle 2, FOLDER@0 for the start model. The first is what the others are compared with.
    """
    from halo_forge.benchmark.compare import compare_runs

    found = compare_runs(
        runs,
        allow_different_sampling=allow_different_sampling,
        allow_different_verifier=allow_different_verifier,
    )
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        show_comparison(found, results_console(), list_prompts=list_prompts)


compare.params.append(debug_option())
