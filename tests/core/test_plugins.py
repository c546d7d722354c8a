from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from halo_forge.config.shared import VerifierOptions
from halo_forge.core.errors import ConfigError
from halo_forge.core.plugins import VERIFIERS, find, verifier_config

BUILTIN = {
    "auto", "chain", "clang", "custom", "gcc", "go", "humaneval", "math", "mbpp", "mingw", "msvc", "python", "rust",
    "speech", "tools", "vqa",
}  # fmt: skip
NEEDED: dict[str, dict[str, object]] = {
    "chain": {"stages": [{"verifier": "python"}]},
    "custom": {"command": "true"},
    "msvc": {"host": "build-1", "user": "forge"},
}


def test_every_builtin_verifier_comes_through_its_entry_point() -> None:
    entries = {entry.name: entry for entry in entry_points(group=VERIFIERS)}
    assert entries.keys() >= BUILTIN
    for name in BUILTIN:
        config = verifier_config(name, NEEDED.get(name, {}))
        assert type(config) is entries[name].load()
        assert type(config).__doc__


def test_the_setting_names_every_verifier() -> None:
    description = VerifierOptions.model_fields["verifier"].description or ""
    assert description.startswith(", ".join(sorted(BUILTIN)))


def test_an_unknown_verifier_is_answered_with_the_list() -> None:
    with pytest.raises(ConfigError, match=r"unknown verifier 'gc'.*did you mean 'gcc'.*humaneval"):
        find(VERIFIERS, "gc", what="verifier")


def test_an_unknown_option_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"option 'timeout'.*timeout_s"):
        verifier_config("gcc", {"timeout": 3})


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("custom", {}, "verifier 'custom' needs --verifier-option command=…"),
        ("gcc", {"timeout": 3}, "verifier 'gcc' has no option 'timeout': did you mean 'timeout_s'? it has language, "),
        ("rust", {"crates": "a b"}, "verifier 'rust', option 'crates': 'a b' is not NAME"),
        ("auto", {"default": "lisp"}, "verifier 'auto': default: unknown language 'lisp'"),
        (
            "auto",
            {"languages": ["c"], "options": {"gcc": {"timeout": 3}}},
            "verifier 'auto': verifier 'gcc' has no option 'timeout'",
        ),
        ("chain", {"stages": [{}]}, "verifier 'chain', option 'stages.0.verifier': Field required"),
    ],
)
def test_a_complaint_is_one_clear_sentence(name: str, options: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        verifier_config(name, options)
    assert str(caught.value).startswith(text)
    assert str(caught.value).count("it has") <= 1


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
    with pytest.raises(ConfigError, match=r", rust, shell, speech, tools"):
        verifier_config("nothing", {})
