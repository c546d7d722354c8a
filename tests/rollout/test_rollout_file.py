from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from zlib import crc32

import pytest

from halo_forge.core.types import Rollout
from halo_forge.rollout.records import read_rollouts
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import Sketch

SIZES = [2, 2, 2]


@pytest.fixture
def chunks(make_rollout: Callable[..., Rollout]) -> list[list[Rollout]]:
    rewards = (1.0, 0.5, None, 0.0, 1.0, 0.3)
    rollouts = [make_rollout(f"p{i // 2}", i % 2, reward, chunk=i // 2) for i, reward in enumerate(rewards)]
    return [rollouts[:2], rollouts[2:4], rollouts[4:]]


@pytest.fixture
def file(tmp_path: Path, chunks: list[list[Rollout]]) -> RolloutFile:
    file = RolloutFile(tmp_path / "cycle_1.jsonl")
    file.resume(SIZES)
    for chunk in chunks:
        file.append(chunk)
    return file


def again(file: RolloutFile) -> list[Sketch]:
    return list(chain.from_iterable(RolloutFile(file.path).resume(SIZES)))


def refusing_to_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(line: bytes) -> Rollout:
        raise AssertionError("parsed")

    monkeypatch.setattr(Rollout, "model_validate_json", refuse)


def test_what_is_appended_is_sketched_found_again_and_read_back(
    tmp_path: Path, chunks: list[list[Rollout]], file: RolloutFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = RolloutFile(tmp_path / "other.jsonl")
    fresh.resume(SIZES)
    sketches = [sketch for chunk in chunks for sketch in fresh.append(chunk)]
    chosen = [sketches[4], sketches[1]]
    assert list(fresh.read(chosen)) == [chunks[2][0], chunks[0][1]]
    with monkeypatch.context() as patch:
        refusing_to_parse(patch)
        assert again(fresh) == RolloutFile(fresh.path).sketches() == sketches


def test_without_its_index_the_file_says_the_same(file: RolloutFile) -> None:
    sketches, index = again(file), file.index.read_bytes()
    file.index.unlink()
    assert RolloutFile(file.path).sketches() == sketches
    assert not file.index.exists()
    assert again(file) == sketches
    assert file.index.read_bytes() == index


@pytest.mark.parametrize("cut", range(0, 1500, 41))
def test_a_file_cut_anywhere_keeps_its_whole_chunks_only(file: RolloutFile, cut: int) -> None:
    content = file.path.read_bytes()
    lines = content.splitlines(keepends=True)
    file.path.write_bytes(content[:cut])
    whole = RolloutFile(file.path).resume(SIZES)
    assert len(whole) == sum(len(b"".join(lines[: 2 * n])) <= cut for n in (1, 2, 3))
    assert file.path.read_bytes() == b"".join(lines[: 2 * len(whole)])
    assert len(file.index.read_bytes().splitlines()) == len(whole)


@pytest.mark.parametrize("cut", range(0, 900, 37))
def test_an_index_cut_anywhere_is_completed(file: RolloutFile, cut: int) -> None:
    sketches, index = again(file), file.index.read_bytes()
    file.index.write_bytes(index[:cut])
    assert RolloutFile(file.path).sketches() == sketches
    assert again(file) == sketches
    assert file.index.read_bytes() == index


def test_a_changed_rollout_is_found_out(file: RolloutFile) -> None:
    before = again(file)
    content = file.path.read_bytes()
    file.path.write_bytes(content.replace(b'"reward":0.3', b'"reward":0.9'))
    after = again(file)
    assert after[:5] == before[:5]
    assert (before[5].reward, after[5].reward) == (0.3, 0.9)


def test_a_changed_index_is_found_out(file: RolloutFile) -> None:
    before, index = again(file), file.index.read_bytes()
    file.index.write_bytes(index.replace(b",0.3,", b",0.9,"))
    assert file.index.read_bytes() != index
    assert again(file) == before
    assert file.index.read_bytes() == index


def test_an_index_of_another_format_is_made_again(file: RolloutFile) -> None:
    before, index = again(file), file.index.read_bytes()
    lines = []
    for line in index.splitlines():
        body = json.dumps({**json.loads(line[9:]), "format": 0}).encode()
        lines.append(b"%08x %b\n" % (crc32(body), body))
    file.index.write_bytes(b"".join(lines))
    assert again(file) == before
    assert file.index.read_bytes() == index


def test_a_file_without_any_index_keeps_its_whole_lines_for_readers(file: RolloutFile) -> None:
    with file.path.open("ab") as lines:
        lines.write(b'{"cycle": 1, "chu')
    assert len(RolloutFile(file.path).sketches()) == 6
    assert RolloutFile(file.path.with_name("none.jsonl")).sketches() == []


def test_rollouts_go_on_after_a_cut(file: RolloutFile, chunks: list[list[Rollout]]) -> None:
    before, content = again(file), file.path.read_bytes()
    file.path.write_bytes(content[:-20])
    reopened = RolloutFile(file.path)
    assert len(reopened.resume(SIZES)) == 2
    assert reopened.append(chunks[2]) == before[4:]
    assert file.path.read_bytes() == content
    assert read_rollouts(file.path) == [rollout for chunk in chunks for rollout in chunk]
