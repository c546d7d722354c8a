"""How an error leaves the command: one line on stderr and an exit code; the traceback only with `--debug`."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

import click

from halo_forge.core.errors import EnvironmentFault, HaloError, Interrupted, is_full_disk


@dataclass
class Session:
    """What holds for one call of the command, whichever it is."""

    debug: bool = False


def session() -> Session:
    """Return the session of the command that is running."""
    return click.get_current_context().ensure_object(Session)


def debug_option() -> click.Option:
    """Make the `--debug` flag that every command has."""

    def remember(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value:
            ctx.ensure_object(Session).debug = True

    return click.Option(
        ["--debug"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=remember,
        help="Show tracebacks and what the libraries log and warn.",
    )


def report(error: BaseException, *, debug: bool) -> int:
    """Tell the user what went wrong.

    Returns:
        The exit code that the command ends with.
    """
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if debug and not isinstance(error, click.Abort):
        click.echo("".join(traceback.format_exception(error)).rstrip(), err=True)
    message, code = _describe(error)
    click.echo(f"halo-forge: {message}", err=True)
    return code


def _describe(error: BaseException) -> tuple[str, int]:
    text = " ".join(str(error).split())
    if isinstance(error, Interrupted):
        return text, error.exit_code
    if isinstance(error, HaloError):
        return f"error: {text}", error.exit_code
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return "interrupted; the same command continues a run from its last whole chunk", Interrupted.exit_code
    if is_full_disk(error):
        advice = "free some space, and the same command continues a run from its last whole chunk"
        return f"error: no space left on the disk ({text}); {advice}", EnvironmentFault.exit_code
    named = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"error: {named}; run again with --debug for the traceback", 1
