from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

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


PLUGIN = '''
from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.types import Stage, Verdict


class ShellConfig(VerifierConfig):
    """Shell scripts, by their exit status."""

    timeout_s: float = 5.0

    def build(self, sandbox, workers):
        return self
'''


def test_an_installed_package_adds_a_verifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shell_verifier.py").write_text(PLUGIN)
    metadata = tmp_path / "shell_verifier-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shell-verifier\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{VERIFIERS}]\nshell = shell_verifier:ShellConfig\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert verifier_config("shell", {"timeout_s": 3}).model_dump() == {"timeout_s": 3}
    with pytest.raises(ConfigError, match="choose one of gcc, humaneval, mbpp, python, shell"):
        verifier_config("nothing", {})
