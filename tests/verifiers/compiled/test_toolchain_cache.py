from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from halo_forge.core.errors import EnvironmentFault
from halo_forge.verifiers.compiled.toolchain_cache import kept_folder


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def fill(folder: Path) -> None:
    (folder / "inner").mkdir(mode=0o700)
    (folder / "inner" / "file").write_text("made")
    (folder / "inner" / "file").chmod(0o600)


def test_what_is_made_is_kept_and_readable_to_all(cache: Path) -> None:
    folder = kept_folder("crates", "key", fill)
    assert folder.is_relative_to(cache / "halo-forge" / "crates")
    assert [place.stat().st_mode & 0o777 for place in (folder, folder / "inner", folder / "inner" / "file")] == [
        0o755, 0o755, 0o644,
    ]  # fmt: skip
    assert kept_folder("crates", "key", lambda _: pytest.fail("made twice")) == folder
    assert kept_folder("crates", "other", fill) != folder


def test_a_failure_leaves_nothing_behind(cache: Path) -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise EnvironmentFault("on purpose")

    with pytest.raises(EnvironmentFault, match="on purpose"):
        kept_folder("crates", "key", fail)
    assert not list((cache / "halo-forge" / "crates").iterdir())


def test_runs_at_the_same_time_end_with_one(cache: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: kept_folder("crates", "key", fill), range(32)))
    assert len(folders) == 1
    assert len(list((cache / "halo-forge" / "crates").iterdir())) == 1


def test_a_place_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(EnvironmentFault, match="XDG_CACHE_HOME"):
        kept_folder("crates", "key", fill)
