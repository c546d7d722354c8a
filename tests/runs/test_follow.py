from __future__ import annotations

from pathlib import Path

from halo_forge.runs.follow import follow_lines


def test_whole_lines_come_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    steps = iter([b"b", b"c\nd\n", b"", b"e\ntorn"])

    def goes_on() -> bool:
        more = next(steps, None)
        if more is None:
            return False
        with path.open("ab") as file:
            file.write(more)
        return True

    path.write_bytes(b"a\n")
    assert list(follow_lines(path, None, goes_on)) == ["a", "bc", "d", "e"]


def test_the_last_lines_are_enough_to_begin_with(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"%d\n" % n for n in range(50)))
    assert list(follow_lines(path, 2, lambda: False)) == ["48", "49"]
    assert list(follow_lines(path, 0, lambda: False)) == []


def test_a_torn_line_that_a_continued_run_cuts_is_never_seen(tmp_path: Path) -> None:
    path = tmp_path / "log"
    steps = iter([b"a\ntorn", b"a\n", b"a\nbb\n"])

    def goes_on() -> bool:
        content = next(steps, None)
        if content is not None:
            path.write_bytes(content)
        return content is not None

    path.write_bytes(b"")
    assert list(follow_lines(path, None, goes_on)) == ["a", "bb"]


def test_a_file_that_never_comes_ends_with_its_run(tmp_path: Path) -> None:
    assert list(follow_lines(tmp_path / "none", None, lambda: False)) == []
