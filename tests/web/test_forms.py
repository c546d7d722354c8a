"""Forms say what the flags say, since both are made of the same schemas."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest

from halo_forge.cli.app import Deferred, app
from halo_forge.cli.flags import given_settings, settings
from halo_forge.config.load import load
from halo_forge.config.options import presentation
from halo_forge.config.schemas import SCHEMAS
from halo_forge.web.checking import check, needs
from halo_forge.web.forms import as_texts, equivalent_command, sections
from halo_forge.web.pages.config import Message, messages_on

RAFT = SCHEMAS["raft train"]


@pytest.mark.parametrize("command", SCHEMAS)
def test_a_form_has_the_fields_and_flags_of_the_command(command: str) -> None:
    schema = SCHEMAS[command]
    inputs = {one.key: one for section in sections(schema) for one in section.inputs}
    assert inputs.keys() == schema.model_fields.keys()
    flags = {param.name: param.opts[0] for param in settings(schema)}
    assert flags == {key: one.flag for key, one in inputs.items() if one.flag is not None}
    for key, field in schema.model_fields.items():
        assert inputs[key].help == field.description
        assert inputs[key].required == field.is_required()
        assert (inputs[key].flag is None) == presentation(field).file_only


def test_fields_say_range_unit_default_and_choices() -> None:
    inputs = {one.key: one for section in sections(RAFT) for one in section.inputs}
    assert inputs["samples_per_prompt"].limits == "at least 1" and inputs["top_k"].limits == "at least 0"
    assert inputs["lora_dropout"].limits == "at least 0, below 1"
    assert "0 to 0.5" in inputs["holdout_fraction"].help and not inputs["holdout_fraction"].limits
    assert inputs["stall_timeout_s"].unit == "seconds" and inputs["max_new_tokens"].unit == "tokens"
    assert inputs["temperature"].default == "0.7" and inputs["cache"].default == "yes"
    assert inputs["tuning"].choices == ("lora", "full", "qlora")
    assert inputs["verifier"].suggestions == "halo_forge.verifiers"


def test_every_problem_is_told_beside_its_field() -> None:
    texts = {"cycles": "0", "temperature": "warm", "cache": "maybe", "verifier_options": "no equals", "prompts": "p"}
    problems = check(RAFT, texts).problems
    assert problems.keys() == {"cycles", "temperature", "cache", "verifier_options", "output", "model", "checkpoint"}
    assert "greater than or equal to 1" in problems["cycles"]
    assert problems["output"] == "Required"
    assert "key=value" in problems["verifier_options"]
    assert "there is no setting 'nonsense'" in check(RAFT, {"nonsense": "1"}).problems[""]


def test_what_settings_demand_of_each_other_stands_beside_them() -> None:
    either = "Give either --prompts FILE.jsonl or --dataset NAME"
    start = "Give --checkpoint or --model to start from"
    missing = {"prompts": either, "dataset": either, "checkpoint": start, "model": start}
    assert check(RAFT, {"output": "o"}).problems == missing
    assert check(RAFT, {"output": "o", "model": "m", "dataset": "d"}).problems == {}
    both = check(RAFT, {"output": "o", "model": "m", "dataset": "d", "prompts": "p"}).problems
    assert both == {"prompts": either, "dataset": either}
    texts = {"output": "o", "model": "m", "dataset": "d", "learning_rate": "1e-4", "min_learning_rate": "1"}
    assert check(RAFT, texts).problems.keys() == {"min_learning_rate"}
    told = check(RAFT, {"objective": "grpo", "top_k": "20"}).problems
    assert told.keys() == {"output", *missing, "objective", "temperature", "top_p", "top_k"}


def test_a_verifier_is_asked_about_its_own_options() -> None:
    given = {"model": "m", "prompts": "p", "output": "o"}
    for verifier, options, field, said in (
        ("gc", "", "verifier", "did you mean 'gcc'"),
        ("gcc", "min_token=3", "verifier_options", "did you mean 'min_tokens'"),
        ("custom", "command=true", "verifier_options", "option 'command'"),
        ("custom", "", "verifier_options", "needs --verifier-option command"),
    ):
        problems = check(RAFT, {**given, "verifier": verifier, "verifier_options": options}).problems
        assert problems.keys() == {field} and said in problems[field]
    assert check(RAFT, {**given, "verifier": "gcc", "verifier_options": "min_tokens=0"}).config is not None


@pytest.mark.parametrize("command", SCHEMAS)
def test_an_empty_form_names_all_it_needs(command: str) -> None:
    schema, needed = SCHEMAS[command], needs(SCHEMAS[command])
    assert {key for key, field in schema.model_fields.items() if field.is_required()} <= needed.keys()
    for key, others in needed.items():
        assert all(key in needed[other] for other in others)
    if command.endswith(("raft train", "reasoning train", "agentic train")):
        assert needed["prompts"] == ("dataset",) and needed["model"] == ("checkpoint",)
    for section in sections(schema, needed):
        order = [one.key in needed for one in section.inputs]
        assert order == sorted(order, reverse=True)


@pytest.mark.parametrize(
    ("command", "texts"),
    [
        (
            "raft train",
            {
                "model": "a b'c",
                "prompts": "p.jsonl",
                "output": "o",
                "verifier_options": "std=c++20\nrun=true\nwarnings=[-Wall, '-W x']",
                "lora_targets": "q_proj, v_proj",
                "cache": "no",
                "temperature": "0.9",
                "packing": "yes",
            },
        ),
        ("benchmark run", {"model": "m", "prompts": "p.jsonl", "k": "1, 2", "samples": "2", "greedy": "yes"}),
        ("sft train", {"model": "m", "data": "d.jsonl", "output": "$(rm -rf /)", "learning_rate": "1e-4"}),
    ],
)
def test_the_command_does_the_same_as_the_form(command: str, texts: dict[str, str]) -> None:
    config = check(SCHEMAS[command], texts).config
    assert config is not None
    words = shlex.split(equivalent_command(command, config))
    found: click.Command = app
    for name in command.split():
        assert isinstance(found, click.Group)
        found = found.commands[name]
        found = found.load() if isinstance(found, Deferred) else found
    with found.make_context(command, words[1 + len(command.split()) :]) as ctx:
        assert load(SCHEMAS[command], given_settings(ctx)).config == config
    shown = as_texts(SCHEMAS[command], config.model_dump(mode="json"))
    assert check(SCHEMAS[command], shown).config == config


def test_messages_stand_at_their_lines() -> None:
    text = "model: m\ncycls: 3\n\noutput: o\nprompts: p\ntemperature: 11\ncycles: [1"
    assert messages_on(text, RAFT)[0].line == 7
    text = text.replace("[1", "0")
    assert messages_on(text, RAFT) == [
        Message(2, "unknown setting 'cycls'; did you mean 'cycles'?"),
        Message(6, "temperature: Input should be less than or equal to 10, but it is 11"),
        Message(7, "cycles: Input should be greater than or equal to 1, but it is 0"),
    ]
    assert messages_on("- a\n", RAFT)[0].text.startswith("This must be a mapping")
    assert [message.text.partition(" ")[0] for message in messages_on("", SCHEMAS["demo"])] == []


def test_presets_are_valid(tmp_path: Path) -> None:
    for path in sorted((Path(__file__).parents[2] / "configs").glob("raft*.yaml")):
        told = {message.text.partition(" is")[0] for message in messages_on(path.read_text(), RAFT)}
        assert told == {"output", "Give either --prompts FILE.jsonl or --dataset NAME"}
