"""Entries of the catalogue are found by name and turn rows into ours."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from halo_forge.core.errors import ConfigError, DataError
from halo_forge.core.plugins import DATASETS
from halo_forge.core.types import Conversation
from halo_forge.data.catalog import find_dataset
from halo_forge.data.catalog.code import CODEALPACA


@pytest.mark.parametrize("name", sorted(entry_points(group=DATASETS).names))
def test_every_entry_is_what_its_name_says(name: str) -> None:
    dataset = find_dataset(name)
    assert dataset.name == name
    assert dataset.hub_id.count("/") == 1
    assert dataset.columns


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
