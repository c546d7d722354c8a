from pathlib import Path
from typing import Literal

import click
import pytest

from halo_forge.cli.flags import SettingsCommand, given_settings, settings
from halo_forge.config.benchmark import BenchmarkRunConfig
from halo_forge.config.options import CommandConfig, option, presentation
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.schemas import SCHEMAS


class Shapes(CommandConfig):
    """Every shape a setting can have."""

    model: str = option(..., "A text.", section="Model")
    folder: Path | None = option(None, "A path.", section="Run")
    count: int | None = option(None, "A number.", section="Run", ge=1, le=9)
    share: float = option(0.5, "A share.", section="Selection", aliases=("part",), gt=0, lt=1)
    greedy: bool = option(True, "A switch.", section="Sampling")
    mode: Literal["a", "b"] = option("a", "A choice.", section="Sampling")
    k: tuple[int, ...] = option((1, 5), "A list.", section="Sampling")
    verifier_options: dict[str, object] = option({}, "A mapping.", section="Verification")


def given(schema: type[CommandConfig], *args: str) -> dict[str, object]:
    command = SettingsCommand("x", params=settings(schema))
    with command.make_context("x", list(args)) as ctx:
        return given_settings(ctx)


def help_text(schema: type[CommandConfig]) -> str:
    command = SettingsCommand("x", params=settings(schema))
    with click.Context(command, info_name="x", max_content_width=100, terminal_width=100) as ctx:
        return command.get_help(ctx)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], {}),
        (["--model", "m"], {"model": "m"}),
        (["--folder", "a/b"], {"folder": Path("a/b")}),
        (["--count", "3"], {"count": 3}),
        (["--share", "1e-1"], {"share": 0.1}),
        (["--part", "0.2"], {"share": 0.2}),
        (["--greedy"], {"greedy": True}),
        (["--no-greedy"], {"greedy": False}),
        (["--mode", "b"], {"mode": "b"}),
        (["--k", "1, 5,10"], {"k": (1, 5, 10)}),
        (["--k", ""], {"k": ()}),
        (
            ["--verifier-option", "std=c++20", "--verifier-option", "warnings=false", "--verifier-option", "n=3"],
            {"verifier_options": {"std": "c++20", "warnings": False, "n": 3}},
        ),
        (["--verifier-option", "flags=[-O2, -Wall]"], {"verifier_options": {"flags": ["-O2", "-Wall"]}}),
    ],
)
def test_only_what_was_given_is_passed_on(args: list[str], expected: dict[str, object]) -> None:
    assert given(Shapes, *args) == expected


def test_a_value_equal_to_the_default_counts_as_given() -> None:
    assert given(Shapes, "--share", "0.5", "--greedy") == {"share": 0.5, "greedy": True}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--count", "many"], "'many' is not a valid integer"),
        (["--mode", "c"], "'c' is not one of 'a', 'b'"),
        (["--k", "1,x"], "'x' is not a valid integer"),
        (["--verifier-option", "std"], "not of the form key=value"),
        (["--verifier-option", "=3"], "not of the form key=value"),
        (["--verifier-option", "a=[1"], "not valid YAML"),
        (["--cuont", "3"], "Did you mean '--count'?"),
    ],
)
def test_a_wrong_word_is_a_usage_error(args: list[str], message: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        given(Shapes, *args)
    assert message in caught.value.format_message()


def test_help_names_default_range_and_aliases() -> None:
    text = " ".join(help_text(Shapes).split())
    assert "--share, --part FLOAT A share. [default: 0.5; above 0; below 1]" in text
    assert "--count INTEGER A number. [at least 1; at most 9]" in text
    assert "--greedy / --no-greedy A switch. [default: yes]" in text
    assert "--k INTEGER,… A list. [default: 1,5]" in text
    assert "--mode [a|b] A choice. [default: a]" in text
    assert "--verifier-option KEY=VALUE A mapping." in text
    assert "--model TEXT A text. [required]" in text


def test_help_groups_the_settings_by_section_in_order() -> None:
    lines = help_text(Shapes).splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["Model:", "Sampling:", "Verification:", "Selection:", "Run:", "Command:"]


def test_a_commands_own_settings_come_before_shared_ones() -> None:
    names = [param.name for param in settings(RaftTrainConfig)]
    assert names.index("prompts") < names.index("checkpoint") < names.index("dtype")


@pytest.mark.parametrize("command", SCHEMAS)
def test_every_field_of_every_command_is_an_option_once(command: str) -> None:
    schema = SCHEMAS[command]
    params = settings(schema)
    with_flags = [key for key, field in schema.model_fields.items() if not presentation(field).file_only]
    assert sorted(str(param.name) for param in params) == sorted(with_flags)
    flags = [flag for param in params for flag in (*param.opts, *param.secondary_opts)]
    assert len(flags) == len(set(flags))


def test_the_flags_of_the_real_schemas() -> None:
    assert given(RaftTrainConfig, "--keep-percent", "0.25", "--lr", "3e-5", "--lora-targets", "q_proj,v_proj") == {
        "keep_fraction": 0.25,
        "learning_rate": 3e-5,
        "lora_targets": ("q_proj", "v_proj"),
    }
    assert given(BenchmarkRunConfig, "--k", "1,5,10") == {"k": (1, 5, 10)}
