"""Every command that docs/cli.md shows is run, or, where it needs a large model, at least read and validated."""

import re
import shlex
from pathlib import Path

import click
import pytest

from halo_forge.cli.app import Deferred, app, run
from halo_forge.cli.flags import given_settings
from halo_forge.config.load import load
from halo_forge.config.schemas import SCHEMAS
from halo_forge.core import errors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def commands(language: str) -> list[str]:
    """Return the lines of the fenced blocks of a language: `sh` is run as it stands, `text` needs a large model."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.mark.parametrize("line", commands("sh"))
def test_it_runs(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    program, *args = shlex.split(line)
    assert program == "halo-forge"
    assert run(args) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("line", commands("text"))
def test_it_validates(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    _, group_name, name, *args = shlex.split(line)
    deferred = app.commands[group_name]
    assert isinstance(deferred, Deferred)
    group = deferred.load()
    assert isinstance(group, click.Group)
    with group.commands[name].make_context(name, args) as ctx:
        load(SCHEMAS[f"{group_name} {name}"], given_settings(ctx), ctx.params["config_file"])


def test_the_table_of_commands_is_complete() -> None:
    listed = re.findall(r"^\| `([a-z ]+)` \|", PAGE.partition("## Settings")[0], flags=re.MULTILINE)
    there = []
    for deferred in app.commands.values():
        assert isinstance(deferred, Deferred)
        command = deferred.load()
        if isinstance(command, click.Group):
            there += [f"{command.name} {name}" for name in command.commands]
        else:
            there.append(str(command.name))
    assert sorted(listed) == sorted(there)


def test_every_exit_code_is_listed() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, flags=re.MULTILINE)}
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    assert listed == {0, *(value.exit_code for value in classes if issubclass(value, errors.HaloError))}
