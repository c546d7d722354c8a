"""Topics that come along, and a user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from halo_forge.core.errors import ConfigError
from halo_forge.core.plugins import verifier_config
from halo_forge.datagen.topic import find_topic, topic_names


def test_those_that_come_along() -> None:
    assert topic_names() == ["cpp_algorithms", "go_concurrency", "python_testing", "rust_async"]


@pytest.mark.parametrize("name", ["cpp_algorithms", "go_concurrency", "python_testing", "rust_async"])
def test_each_is_whole_and_its_verifier_takes_its_options(name: str) -> None:
    topic = find_topic(name)
    assert topic.name == name
    assert len(topic.categories) >= 10
    assert len(topic.levels) == 3
    assert len(topic.variations) >= 8
    verifier_config(topic.verifier, dict(topic.verifier_options))


def test_what_the_words_follow_from_is_hashed_and_nothing_else() -> None:
    topic = find_topic("rust_async")
    assert topic.asked_sha256 == topic.model_copy(update={"forbidden": (), "verifier": "auto"}).asked_sha256
    assert topic.asked_sha256 != topic.model_copy(update={"style": "short"}).asked_sha256


def own(folder: Path, text: str) -> str:
    file = folder / "mine.yaml"
    file.write_text(text)
    return str(file)


GOOD = "name: mine\nlanguage: lua\ncategories: {a: about a}\nlevels: {one: easy}\n"


def test_a_users_own(tmp_path: Path) -> None:
    topic = find_topic(own(tmp_path, GOOD))
    assert (topic.name, topic.language, topic.verifier, topic.tests) == ("mine", "lua", "auto", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "requird: [x]\n", "requird: Extra inputs"),
        (GOOD + "required: ['(']\n", "required: '(' is not a regular expression: missing )"),
        ("name: mine\nlanguage: lua\nlevels: {one: easy}\n", "categories: Field required"),
        ("name: ../mine\nlanguage: lua\ncategories: {a: a}\nlevels: {one: easy}\n", "name: String should match"),
        ("[1, 2", "is not valid YAML"),
        ("- a", "the topic: "),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        find_topic(own(tmp_path, text))
    assert said in str(error.value)
    assert "mine.yaml" in str(error.value)


def test_an_unknown_name_and_a_missing_file() -> None:
    with pytest.raises(ConfigError, match="did you mean 'rust_async'"):
        find_topic("rust_asinc")
    with pytest.raises(ConfigError, match="there is no file"):
        find_topic("nowhere.yaml")
