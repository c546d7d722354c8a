from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from halo_forge.core.errors import ConfigError
from halo_forge.core.plugins import VERIFIERS, VerifierConfig, find, verifier_config


def test_every_builtin_verifier_comes_through_its_entry_point() -> None:
    names = {entry.name for entry in entry_points(group=VERIFIERS)}
    assert {"gcc", "humaneval", "mbpp", "python"} <= names
    for name in names:
        config = verifier_config(name, {})
        assert isinstance(config, VerifierConfig)
        assert type(config).__doc__


def test_an_unknown_verifier_is_answered_with_the_list() -> None:
    with pytest.raises(ConfigError, match=r"unknown verifier 'gc'.*did you mean 'gcc'.*humaneval"):
        find(VERIFIERS, "gc", what="verifier")


def test_an_unknown_option_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"option 'timeout'.*timeout_s"):
        verifier_config("gcc", {"timeout": 3})


def test_a_bad_option_value_names_the_option() -> None:
    with pytest.raises(ConfigError, match="option 'timeout_s'"):
        verifier_config("gcc", {"timeout_s": -1})
