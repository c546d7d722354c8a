"""Every command that README and docs show is run, or, where it needs a large model, at least read and validated."""

import re
import shlex
from pathlib import Path

import click
import pytest

from halo_forge.cli.app import app, run
from halo_forge.cli.deferred import Deferred
from halo_forge.cli.flags import given_settings
from halo_forge.config.load import load
from halo_forge.config.schemas import SCHEMAS
from halo_forge.config.shared import VerifierOptions
from halo_forge.core import errors
from halo_forge.core.plugins import verifier_config
from halo_forge.data import load_conversations, load_prompts

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
PAGES = "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def commands(language: str) -> list[str]:
    """Return the lines of the fenced blocks of a language: `sh` is run as it stands, `text` needs a large model."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGES, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line]
    return [*dict.fromkeys(" ".join(line.split()) for line in lines)]


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
    _, name, *args = shlex.split(line)
    deferred = app.commands[name]
    assert isinstance(deferred, Deferred)
    command: click.Command = deferred.load()
    if isinstance(command, click.Group):
        command, name = command.commands[args[0]], f"{name} {args.pop(0)}"
        command = command.load() if isinstance(command, Deferred) else command
    with command.make_context(name, args) as ctx:
        config = load(SCHEMAS[name], given_settings(ctx), ctx.params["config_file"]).config
        if isinstance(config, VerifierOptions):
            verifier_config(config.verifier, dict(config.verifier_options))


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


def test_rows_that_the_docs_show_can_be_read(tmp_path: Path) -> None:
    blocks = re.findall(r"^```json\n(.*?)^```$", PAGES, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 8
    for number, block in enumerate(blocks):
        file = tmp_path / f"{number}.jsonl"
        file.write_text(block, encoding="utf-8")
        load_rows = load_conversations if "completion" in block else load_prompts
        assert load_rows(file)


def test_the_table_of_datasets_is_the_catalogue() -> None:
    from halo_forge.cli.datasets import described_size
    from halo_forge.data.catalog import all_datasets

    lines = ["| name | domain | use | rows | download | licence | gated | on the Hub |", "| --- " * 8 + "|"]
    for found in all_datasets():
        cells = [f"`{found.name}`", found.domain, ", ".join([found.use, *found.also])]
        cells += [f"{found.rows:,}" if found.rows else "–", described_size(found.size_mb), found.licence]
        cells += ["yes" if found.gated else "no", found.hub_id or "(local folder)"]
        lines.append(f"| {' | '.join(cells)} |")
    page = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    assert "\n".join(lines) in page
