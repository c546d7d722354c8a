"""`halo-forge verify`."""

from __future__ import annotations

from pathlib import Path

import click

from halo_forge.cli.console import results_console
from halo_forge.cli.errors import debug_option
from halo_forge.cli.flags import SettingsCommand, given_settings, settings
from halo_forge.cli.verdicts import show_verdict, show_verify
from halo_forge.cli.view import open_view
from halo_forge.config.load import load
from halo_forge.config.verify import VerifyConfig
from halo_forge.core.errors import ConfigError

PASSED, NOT_PASSED, FAULT = 0, 1, 3
ROWS_SUFFIX = ".jsonl"


def _verify(source: Path, config_file: Path | None, as_json: bool) -> int:
    config = load(VerifyConfig, given_settings(click.get_current_context()), config_file).config
    if config.output is not None:
        _verify_file(source, config.output, config, as_json)
        return PASSED
    if source.suffix == ROWS_SUFFIX:
        raise ConfigError(f"{source} holds rows: give --output FILE.jsonl for their verdicts")
    return _verify_program(source, config, as_json)


def _verify_file(source: Path, output: Path, config: VerifyConfig, as_json: bool) -> None:
    from halo_forge.verify.loop import verify_file
    from halo_forge.verify.single import STANDARD_INPUT

    if source == STANDARD_INPUT:
        raise ConfigError("rows cannot come from standard input, as a stopped command could not go on: name their file")
    if output.exists() and source.exists() and output.samefile(source):
        raise ConfigError(f"--output {output} is the file of rows itself: name another, which gets the verdicts")
    with open_view() as view:
        summary = verify_file(source, output, config, (view,))
    if summary.rows_per_s is None:
        click.echo("Every row had its verdict already; nothing had to be done.", err=True)
    if as_json:
        click.echo(summary.model_dump_json(indent=2))
    else:
        show_verify(summary, results_console())
    summary.require_verified(config.max_fault_rate)


def _verify_program(source: Path, config: VerifyConfig, as_json: bool) -> int:
    from halo_forge.verify.single import verify_program

    verdict = verify_program(source, config)
    if as_json:
        click.echo(verdict.model_dump_json(indent=2))
    else:
        show_verdict(verdict, results_console())
    if verdict.reward is None:
        return FAULT
    return PASSED if verdict.passed else NOT_PASSED


verify = SettingsCommand(
    "verify",
    params=[
        click.Argument(["source"], metavar="IN", type=click.Path(path_type=Path, allow_dash=True)),
        *settings(VerifyConfig),
        click.Option(
            ["--config", "config_file"],
            type=click.Path(path_type=Path),
            help="YAML file of settings; flags override it.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Write the result to stdout as JSON, and nothing else."),
        debug_option(),
    ],
    callback=lambda source, config_file, as_json, **_: _verify(source, config_file, as_json),
    help=VerifyConfig.__doc__,
    short_help="Verdicts on completions in a file, or on one program.",
)
