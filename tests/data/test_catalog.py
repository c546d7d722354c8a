"""Entries of the catalogue are found by name and turn rows into ours."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from halo_forge.core.errors import ConfigError, DataError
from halo_forge.core.plugins import DATASETS
from halo_forge.core.types import Conversation
from halo_forge.data.catalog import all_datasets, find_dataset
from halo_forge.data.catalog.code import CODEALPACA


@pytest.mark.parametrize("name", sorted(entry_points(group=DATASETS).names))
def test_every_entry_is_what_its_name_says(name: str) -> None:
    dataset = find_dataset(name)
    assert dataset.name == name
    assert dataset.hub_id is None or dataset.hub_id.count("/") == 1
    assert dataset.columns
    assert dataset.part(None)[1] is dataset.splits[dataset.split]
    assert dataset.test_split is None or dataset.test_split in dataset.splits
    assert set(dataset.media) <= {*dataset.columns}
    assert dataset.use not in dataset.also


def test_the_catalogue_has_every_dataset_of_the_pipeline() -> None:
    assert {found.name for found in all_datasets()} >= {
        *("codeforces_cpp", "codeforces_python", "mbpp", "humaneval", "humaneval_plus", "livecodebench", "codealpaca"),
        *("magicoder", "metamath", "gsm8k", "gsm8k_sft", "math", "aime", "librispeech", "librispeech_sft"),
        *("common_voice", "speech_commands", "llava", "textvqa", "docvqa", "chartqa", "realworldqa", "mathvista"),
        *("xlam", "xlam_sft", "glaive", "glaive_sft", "hermes"),
    }


def test_a_split_that_does_not_exist() -> None:
    with pytest.raises(
        DataError, match="dataset 'mbpp' has no split 'dev': choose one of train, test, validation, prompt"
    ):
        find_dataset("mbpp").part("dev")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mozilla-foundation/common_voice_17_0", "Common Voice left the Hub in October 2025"),
        ("hendrycks/competition_math", "take --dataset math"),
        ("tatsu-lab/alpaca", "write a YAML file with hub_id, split and columns"),
    ],
)
def test_what_became_of_an_id(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_dataset(name)
    assert text in str(caught.value)


def test_a_use_that_a_set_is_not_for_names_those_that_are() -> None:
    with pytest.raises(DataError) as caught:
        find_dataset("metamath").conversion("rlvr")
    assert (
        str(caught.value) == "dataset 'metamath' is for sft, not for rlvr; of reasoning there are gsm8k, math for that"
    )


def test_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"unknown dataset 'codealpacca': did you mean 'codealpaca'\? choose one of"):
        find_dataset("codealpacca")


def test_codealpaca_rows() -> None:
    row = CODEALPACA.convert({"instruction": "Double it.", "input": "x = 2", "output": "x * 2"}, "codealpaca-0")
    assert isinstance(row, Conversation)
    assert row.id == "codealpaca-0"
    assert [(turn.role, turn.content) for turn in row.messages] == [
        ("user", "Double it.\n\nx = 2"),
        ("assistant", "x * 2"),
    ]
    for empty in ("", None):
        row = CODEALPACA.convert({"instruction": "Double 2.", "input": empty, "output": "4"}, "codealpaca-1")
        assert isinstance(row, Conversation)
        assert row.messages[0].content == "Double 2."


def test_a_column_of_another_type_is_refused() -> None:
    with pytest.raises(DataError, match="'output' must be a text, not an array"):
        CODEALPACA.convert({"instruction": "a", "input": "", "output": ["b"]}, "codealpaca-0")
