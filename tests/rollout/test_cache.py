from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from halo_forge.core.types import Stage, Verdict
from halo_forge.rollout.cache import LONGEST_VERDICT_BYTES, VerdictCache, cache_file

RIGHT = Verdict(
    reward=0.7, passed=False, stage=Stage.TESTS, detail="case 2: ü", path="fallback", wall_s=0.25, peak_memory_mb=3.5
)
FAULT = Verdict(reward=None, passed=False, stage=Stage.PARSE, fault="sandbox down")
SLOW = Verdict(reward=0.0, passed=False, stage=Stage.RUN, repeatable=False)


def key(number: int) -> bytes:
    return sha256(str(number).encode()).digest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "halo-forge" / "verdicts.sqlite"


def stored(path: Path, *numbers: int) -> list[int]:
    with closing(VerdictCache(path)) as cache:
        found = cache.find(map(key, numbers))
        assert cache.take_notice() is None
    return [number for number in numbers if key(number) in found]


def test_a_verdict_comes_back_whole(path: Path) -> None:
    with closing(VerdictCache(path)) as cache:
        cache.store({key(1): RIGHT})
        assert cache.find([key(1), key(2)]) == {key(1): RIGHT}
    with closing(VerdictCache(path)) as cache:
        assert cache.find([key(2), key(1)]) == {key(1): RIGHT}


def test_faults_and_verdicts_of_the_clock_are_never_kept(path: Path) -> None:
    with closing(VerdictCache(path)) as cache:
        cache.store({key(1): FAULT, key(2): SLOW, key(3): RIGHT})
    assert stored(path, 1, 2, 3) == [3]


def test_an_overlong_verdict_is_not_kept(path: Path) -> None:
    with closing(VerdictCache(path)) as cache:
        cache.store({key(1): RIGHT.model_copy(update={"detail": "x" * LONGEST_VERDICT_BYTES}), key(2): RIGHT})
    assert stored(path, 1, 2) == [2]


def test_it_holds_no_more_than_it_may_and_keeps_what_is_used(path: Path) -> None:
    with closing(VerdictCache(path, most_verdicts=20)) as cache:
        for number in range(100):
            cache.store({key(number): RIGHT})
            assert cache.find([key(0)]) == {key(0): RIGHT}, number
        left = [number for number in range(100) if cache.find([key(number)])]
    assert left[0] == 0
    assert left[1:] == list(range(100 - len(left) + 1, 100))
    assert 10 <= len(left) <= 20


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"reward":1.0}',
        b'{"reward":2.0,"passed":true,"stage":"tests"}',
        FAULT.model_dump_json().encode(),
        SLOW.model_dump_json().encode(),
        b"\xff\xfe",
    ],
)
def test_an_entry_that_is_no_verdict_is_ignored_and_replaced(path: Path, content: bytes) -> None:
    with closing(VerdictCache(path)) as cache:
        cache.store({key(1): RIGHT})
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE recent SET verdict = ?", (content,))
    with closing(VerdictCache(path)) as cache:
        assert cache.find([key(1)]) == {}
        cache.store({key(1): RIGHT})
        assert cache.find([key(1)]) == {key(1): RIGHT}
        assert cache.take_notice() is None


def answers_nothing(path: Path, reason: str) -> None:
    """The cache goes without its file, and says so once."""
    with closing(VerdictCache(path)) as cache:
        cache.store({key(1): RIGHT})
        assert cache.find([key(1)]) == {}
        notice = cache.take_notice()
        assert notice is not None and str(path) in notice and reason in notice and "--no-cache" in notice
        cache.store({key(1): RIGHT})
        assert cache.find([key(1)]) == {}
        assert cache.take_notice() is None


def test_a_file_that_is_no_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"something else entirely" * 100)
    answers_nothing(path, "not a database")


def test_a_damaged_database(path: Path) -> None:
    with closing(VerdictCache(path)) as cache:
        cache.store({key(number): RIGHT for number in range(500)})
    content = bytearray(path.read_bytes())
    content[100:] = b"\xaa" * (len(content) - 100)
    path.write_bytes(content)
    answers_nothing(path, "malformed")


def test_another_format(path: Path) -> None:
    with closing(VerdictCache(path)):
        pass
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 99")
    answers_nothing(path, "format 99")


def test_a_locked_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halo_forge.rollout.cache.BUSY_TIMEOUT_S", 0.1)
    with closing(VerdictCache(path)):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        answers_nothing(path, "locked")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answers_nothing(tmp_path / "file" / "halo-forge" / "verdicts.sqlite", "")


def test_a_file_that_others_can_write_is_not_trusted(path: Path) -> None:
    with closing(VerdictCache(path)) as cache:
        cache.store({key(1): RIGHT})
    path.chmod(0o666)
    answers_nothing(path, "somebody else")
    path.chmod(0o600)
    path.parent.chmod(0o777)
    answers_nothing(path, "somebody else")


def test_a_disk_that_fills_up_meanwhile(path: Path) -> None:
    with closing(VerdictCache(path)) as cache:
        cache.store({key(1): RIGHT})
        assert cache._connection is not None
        cache._connection.execute("PRAGMA max_page_count = 1")
        cache.store({key(number): RIGHT for number in range(5000)})
        notice = cache.take_notice()
        assert notice is not None and "full" in notice
        assert cache.find([key(1)]) == {}
    assert stored(path, 1) == [1]


WRITER = """
import sys
from pathlib import Path
from test_cache import *
cache = VerdictCache(Path(sys.argv[1]), most_verdicts=2000)
for start in range(0, 600, 20):
    numbers = range(start, start + 20)
    found = cache.find(map(key, numbers))
    assert all(verdict == RIGHT for verdict in found.values())
    cache.store({key(number): RIGHT for number in numbers})
notice = cache.take_notice()
cache.close()
sys.exit(notice)
"""


def test_processes_share_it(path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen(command, env=env, stderr=subprocess.PIPE) for _ in range(4)]
    ends = [(process.communicate()[1], process.returncode) for process in writers]
    assert ends == [(b"", 0)] * 4
    assert stored(path, *range(600)) == list(range(600))


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_file() == tmp_path / "halo-forge" / "verdicts.sqlite"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_file() == Path.home() / ".cache" / "halo-forge" / "verdicts.sqlite"
