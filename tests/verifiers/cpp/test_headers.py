"""Precompiled headers: faster, and never another verdict or message than the plain compiler's."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Verdict
from halo_forge.verifiers.cpp import headers as headers_module
from halo_forge.verifiers.cpp.clang import ClangConfig
from halo_forge.verifiers.cpp.config import CompiledConfig
from halo_forge.verifiers.cpp.gcc import GccConfig
from halo_forge.verifiers.cpp.mingw import MingwConfig

if TYPE_CHECKING:
    from conftest import BreakableSandbox

PROMPT = Prompt(id="p", messages=(Message(role="user", content="do"),))
INCLUDES = "#include <cstdio>\n#include <vector>\n\n"
BODY = "int main() { std::vector<int> v(3); v.push_back(4); return static_cast<int>(v.size()) - 4; }"
PROGRAMS = [
    INCLUDES + BODY,
    "#include <vector>\n#include <cstdio>\n" + BODY.replace("4", "5"),
    INCLUDES + BODY.replace("return", "int unused; return"),
    INCLUDES + BODY.replace("int main", "int f(int a, unsigned b) { return a < b; }\nint main"),
    INCLUDES + BODY.replace("push_back", "push_bock"),
    INCLUDES + BODY.replace("std::vector<int>", "std::map<int, int>"),
    INCLUDES + BODY.replace("std::vector<int>", "std::string"),
    INCLUDES + BODY.replace("v(3)", "v(3, \"x\", 5)"),
    INCLUDES + BODY + BODY,
    INCLUDES + BODY[:-1],
    INCLUDES + "#include <no_such_header>\n" + BODY,
    INCLUDES + "#include <list>\ntemplate <> class std::vector<int> {};\n" + BODY,
    "#define vector list\n" + INCLUDES + BODY,
    INCLUDES + '#include "/headers/x"\n' + BODY,
    INCLUDES + '#error "PCH"\n' + BODY,
    INCLUDES + "int main() { return undefined_function(1, 2, 3); }",
    INCLUDES + "#pragma GCC diagnostic ignored \"-Wunused-variable\"\n" + BODY.replace("return", "int unused; return"),
]  # fmt: skip


def judged(config: CompiledConfig, sandbox: Any, programs: list[str] = PROGRAMS) -> list[Verdict]:
    verifier = config.build(sandbox, 2)
    try:
        return verifier.verify([Submission(PROMPT, f"```cpp\n{program}\n```") for program in programs])
    finally:
        verifier.close()


def earned(verdicts: list[Verdict]) -> list[tuple[Any, ...]]:
    return [(v.reward, v.passed, v.stage, v.detail, v.fault) for v in verdicts]


def made(cache: Path) -> list[Path]:
    return sorted((cache / "halo-forge" / "headers").glob("*/*/made.json"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, real_sandbox: Any) -> Iterator[Path]:
    """Return a cache that holds the header of the programs."""
    place = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place))
        judged(GccConfig(language="c++"), real_sandbox, PROGRAMS[:4])
        assert len(made(place)) == 1
        yield place


@pytest.mark.parametrize("run", [False, True])
def test_nothing_differs_with_a_header(filled: Path, real_sandbox: Any, run: bool) -> None:
    plain = judged(GccConfig(language="c++", precompile=False, run=run), real_sandbox)
    assert earned(judged(GccConfig(language="c++", run=run), real_sandbox)) == earned(plain)
    assert {verdict.reward for verdict in plain} >= {0.0, 0.7 if run else 0.5}
    assert len(made(filled)) == 1


@pytest.mark.parametrize("config", [ClangConfig, MingwConfig])
def test_nothing_differs_with_other_compilers(
    cache: Path, real_sandbox: Any, config: type[ClangConfig] | type[MingwConfig]
) -> None:
    plain = judged(config(language="c++", precompile=False), real_sandbox)
    assert earned(judged(config(language="c++"), real_sandbox)) == earned(plain)
    assert len(made(cache)) == 1


def test_headers_are_made_for_c_too(cache: Path, real_sandbox: Any) -> None:
    programs = [
        f"#include <math.h>\n#include <stdio.h>\nint main(void) {{ return {n} - printf(); }}" for n in (1, 2, 3)
    ]
    plain = judged(GccConfig(language="c", precompile=False), real_sandbox, programs)
    assert earned(judged(GccConfig(language="c"), real_sandbox, programs)) == earned(plain)
    assert len(made(cache)) == 1


def test_a_header_is_used(filled: Path, sandbox: BreakableSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = []
    run = sandbox.inner.run
    monkeypatch.setattr(sandbox, "inner", sandbox.inner)
    monkeypatch.setattr(sandbox, "run", lambda job: jobs.append(job) or run(job))
    judged(GccConfig(language="c++"), sandbox, PROGRAMS[:1])
    assert [job for job in jobs if "-include" in job.argv and "program.cpp" in job.files]


def test_a_header_is_made_once_it_pays(cache: Path, real_sandbox: Any) -> None:
    verifier = GccConfig(language="c++").build(real_sandbox, 1)
    first, second = (Submission(PROMPT, program) for program in PROGRAMS[:2])
    verifier.verify([first, first])
    assert not made(cache)
    verifier.verify([second])
    assert len(made(cache)) == 1
    verifier.close()


def test_without_the_plugin_a_plain_header_serves(
    cache: Path, real_sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers_module.Headers, "_plugin", lambda _: None)
    assert judged(GccConfig(language="c++"), real_sandbox, PROGRAMS[:2])[0].passed
    assert len(made(cache)) == 1


def test_a_header_that_cannot_be_made_is_done_without(
    cache: Path, real_sandbox: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(headers_module, "PACKED", "echo no room >&2; exit 1")
    assert [verdict.reward for verdict in judged(GccConfig(language="c++"), real_sandbox, PROGRAMS[:2])] == [0.5, 0.5]
    assert "no room" in caplog.text
    assert not made(cache)


@pytest.mark.parametrize("harm", ["truncated", "other bytes", "missing", "folder gone"])
def test_a_spoilt_header_changes_nothing(filled: Path, real_sandbox: Any, tmp_path: Path, harm: str,
                                         monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    shutil.copytree(filled, tmp_path / "copy")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "copy"))
    verifier = GccConfig(language="c++").build(real_sandbox, 1)
    (marker,) = made(tmp_path / "copy")
    header = marker.with_name("block.h.gch")
    if harm == "folder gone":
        shutil.rmtree(marker.parent)
    elif harm == "missing":
        header.unlink()
    else:
        size = header.stat().st_size
        header.write_bytes(b"" if harm == "truncated" else os.urandom(1000) * (size // 1000) + b"x" * (size % 1000))
    verdicts = verifier.verify([Submission(PROMPT, PROGRAMS[0]), Submission(PROMPT, PROGRAMS[4])])
    assert [verdict.reward for verdict in verdicts] == [0.5, 0.0]
    verifier.close()


def test_what_takes_too_much_room_goes_the_oldest_first(cache: Path, real_sandbox: Any) -> None:
    config = GccConfig(language="c++", headers_mb=1)
    for header in ("vector", "string"):
        judged(config, real_sandbox, [f"#include <{header}>\nint main() {{ return {n} + 1; }}" for n in (1, 2)])
    (left,) = made(cache)
    assert '"string"' in left.read_text()


def test_a_folder_that_others_may_write_to_is_not_used(
    cache: Path, real_sandbox: Any, caplog: pytest.LogCaptureFixture
) -> None:
    folder = cache / "halo-forge" / "headers"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert judged(GccConfig(language="c++"), real_sandbox, PROGRAMS[:2])[0].passed
    assert "others may write" in caplog.text
    assert not list(folder.iterdir())


def test_runs_side_by_side_share_headers(cache: Path, real_sandbox: Any) -> None:
    found: list[list[Verdict]] = []
    config = GccConfig(language="c++")
    threads = [
        threading.Thread(target=lambda: found.append(judged(config, real_sandbox, PROGRAMS[:3]))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[verdict.reward for verdict in verdicts] for verdicts in found] == [[0.5, 0.5, 0.3]] * 3
    assert len(made(cache)) == 1
    assert not list(cache.glob("**/tmp-*"))


def test_a_broken_sandbox_leaves_no_header_and_is_a_fault(cache: Path, sandbox: BreakableSandbox) -> None:
    verifier = GccConfig(language="c++").build(sandbox, 1)
    sandbox.broken = True
    verdicts = verifier.verify([Submission(PROMPT, program) for program in PROGRAMS[:2]])
    assert [verdict.reward for verdict in verdicts] == [None, None]
    assert not made(cache)
    verifier.close()


def test_headers_do_not_show_in_the_version(cache: Path, real_sandbox: Any) -> None:
    versions = set()
    for precompile in (True, False):
        verifier = GccConfig(language="c++", precompile=precompile).build(real_sandbox, 1)
        versions.add(verifier.version)
        verifier.close()
    assert len(versions) == 1
