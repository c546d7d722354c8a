"""What is known of the files behind standard headers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from halo_forge.verifiers.cpp.header_files import HeaderFiles

BROUGHT = {"iostream": ["iostream", "string"], "string": ["string"], "climits": ["climits"], "vector": ["vector"]}
SIZES = {"iostream": 2000, "string": 1000, "climits": 5, "vector": 800}


@pytest.fixture
def system(tmp_path: Path) -> Path:
    folder = tmp_path / "include"
    folder.mkdir()
    for name, size in SIZES.items():
        (folder / name).write_text("x" * size)
    return folder


@pytest.fixture
def files(tmp_path: Path, system: Path) -> HeaderFiles:
    known = HeaderFiles(tmp_path)
    for name, brought in BROUGHT.items():
        known.learn(name, [str(system / file) for file in brought])
    return known


def test_files_that_several_headers_share_count_once(files: HeaderFiles) -> None:
    assert files.size_bytes(["iostream", "string"]) == files.size_bytes(["iostream"]) == 3000


def test_headers_that_others_bring_in_or_that_are_small_do_not_matter(files: HeaderFiles) -> None:
    assert files.heavy(["climits", "string", "vector", "iostream"]) == {"iostream", "vector"}
    assert files.heavy(["climits"]) == {"climits"}
    assert files.implied(["iostream"]) == {"iostream", "string"}


def test_what_is_remembered_holds_until_a_file_changes(files: HeaderFiles, system: Path, tmp_path: Path) -> None:
    again = HeaderFiles(tmp_path)
    assert again.unknown(BROUGHT) == []
    assert again.state(BROUGHT) == files.state(BROUGHT)
    os.utime(system / "string", (1, 1))
    assert HeaderFiles(tmp_path).unknown(BROUGHT) == ["iostream", "string"]


def test_a_header_without_files_stays_unknown(files: HeaderFiles) -> None:
    files.learn("generator", [])
    assert files.unknown(["generator", "vector"]) == ["generator"]
    assert files.existing(["generator", "vector"]) == {"vector"}


@pytest.mark.parametrize("text", ["", "{", "[1]", '[["x"]]', '{"a": 1}', "null"])
def test_spoilt_memory_is_asked_again(tmp_path: Path, files: HeaderFiles, text: str) -> None:
    (tmp_path / "vector.files.json").write_text(text)
    assert HeaderFiles(tmp_path).unknown(["vector"]) == ["vector"]
