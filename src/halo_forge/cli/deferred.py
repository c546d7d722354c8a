"""Commands that are imported only when they are called, so that help answers at once."""

from __future__ import annotations

from importlib import import_module

import click


class Deferred(click.Command):
    """Stands for a command in help and completion until somebody calls it.

    Args:
        target: `module:attribute` of the real command.
    """

    def __init__(self, name: str, target: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self._target = target

    def load(self) -> click.Command:
        """Import the real command."""
        module, _, attribute = self._target.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command), f"{self._target} is no command"
        return command


class LazyGroup(click.Group):
    """A group of deferred commands, listed in the order they were given."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command to call, and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Deferred) else command, rest
