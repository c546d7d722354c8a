"""`halo-forge completion`: the script that makes Tab complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from halo_forge.cli.errors import debug_option

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    r"""Print the script that completes halo-forge in SHELL.

    \b
    bash  halo-forge completion bash >> ~/.bashrc
    zsh   halo-forge completion zsh >> ~/.zshrc
    fish  halo-forge completion fish > ~/.config/fish/completions/halo-forge.fish
    """
    root = click.get_current_context().find_root()
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(root.command, {}, "halo-forge", "_HALO_FORGE_COMPLETE").source())


completion.params.append(debug_option())
