from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from windows_host import (
    BANNER,
    WindowsHost,
    free_port,
    make_key,
    set_up,
    stop,
    windows_host,
    write_known_hosts,
)

from halo_forge.core.errors import ConfigError, EnvironmentFault
from halo_forge.core.plugins import verifier_config
from halo_forge.core.types import Stage
from halo_forge.verifiers.msvc import compiler
from halo_forge.verifiers.msvc.program import reach

if TYPE_CHECKING:
    from conftest import Judge

GOOD = "#include <vector>\nint add(int a, int b) { return a + b; }"
WARNED = "int add(int a, int b) { int unused; return a + b; }"


FUNCTION = "int f{}(int n) {{ return n + 1; }}"


def fenced(code: str, language: str = "cpp") -> str:
    return f"```{language}\n{code}\n```"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WindowsHost]:
    with windows_host(tmp_path_factory.mktemp("windows")) as running:
        yield running


@pytest.fixture
def build(host: WindowsHost, real_sandbox: Any, judge: type[Judge]) -> Iterator[Callable[..., Judge]]:
    with ExitStack() as opened:
        opened.callback(host.meet, "")

        def make(workers: int = 1, **options: Any) -> Judge:
            verifier = verifier_config("msvc", {**host.options, **options}).build(real_sandbox, workers)
            opened.callback(verifier.close)
            return judge(verifier)

        yield make


@pytest.fixture(scope="module")
def msvc(host: WindowsHost, real_sandbox: Any, judge: type[Judge]) -> Iterator[Judge]:
    verifier = verifier_config("msvc", host.options).build(real_sandbox, 2)
    yield judge(verifier)
    verifier.close()


@pytest.mark.parametrize(
    ("code", "reward", "passed"),
    [
        (GOOD, 0.5, True),
        (WARNED, 0.3, True),
        ("#pragma warning(disable: 4101)\n" + WARNED, 0.3, True),
        ("#pragma warning(push, 0)\n" + GOOD, 0.3, True),
        ('_Pragma("warning(disable: 4101)")\n' + GOOD, 0.3, True),
        ('#line 1 "other.cpp"\n' + WARNED, 0.3, True),
        (GOOD.replace("b; }", "c; }"), 0.0, False),
        (GOOD[:-2], 0.0, False),
        ("int add(int, int); int twice(int n) { return add(n, n); }", 0.5, True),
        ("int main() {}", 0.0, False),
    ],
)
def test_compiling_earns(msvc: Judge, code: str, reward: float, passed: bool) -> None:
    verdict = msvc(fenced(code))
    assert (verdict.reward, verdict.passed, verdict.stage, verdict.fault) == (reward, passed, Stage.COMPILE, None)


def test_the_detail_says_what_was_checked(msvc: Judge) -> None:
    assert msvc(fenced(GOOD)).detail == "compiles (syntax checked, not linked, not run)"
    assert msvc(fenced(GOOD.replace("b; }", "c; }"))).detail.startswith("program.cpp(2,")


def test_an_empty_answer_and_a_missing_function_earn_nothing(msvc: Judge) -> None:
    assert msvc(" ").stage is Stage.PARSE
    assert msvc("```cpp\n```").reward == 0.0
    assert msvc(fenced("int main() { return 0; }")).detail.startswith("not compiled: trivial")
    assert "does not use mix" in msvc(fenced(GOOD), required=("mix",)).detail
    lacking = msvc(fenced(GOOD), entry_point="subtract")
    assert (lacking.reward, lacking.passed) == (0.0, False)
    assert msvc(fenced(GOOD), entry_point="add").passed


def test_c_is_compiled_as_c(msvc: Judge) -> None:
    only_c = "int add(int a, int b) { int class = a; return class + b; }"
    assert msvc(fenced(only_c, "c")).passed
    assert msvc(fenced(only_c)).reward == 0.0


def test_link_finds_what_syntax_does_not(build: Callable[..., Judge]) -> None:
    check = build(link=True)
    assert check(fenced("int main() { int n = 1; return n - 1; }")).detail.startswith("built, not run")
    missing = check(fenced("int add(int, int); int main() { return add(1, 2); }"))
    assert (missing.reward, "LNK2019" in missing.detail) == (0.0, True)


def test_rows_with_tests_are_a_fault_unless_compiling_is_enough(msvc: Judge, build: Callable[..., Judge]) -> None:
    verdict = msvc(fenced(GOOD), asserts=("assert(add(1, 2) == 3);",))
    assert (verdict.reward, verdict.passed) == (None, False)
    assert "set compile_only" in (verdict.fault or "")
    assert build(compile_only=True)(fenced(GOOD), asserts=("assert(add(1, 2) == 3);",)).reward == 0.5


@pytest.mark.parametrize(
    "code",
    [
        "const char *s = \"'); Remove-Item C:/ -Recurse; ('\";",
        'const char *s = "`$(whoami) %PATH% & del * | more ^ > x";',
        "// ü € 漢 \U0001f600\nint x;",
        "int x; // \x00 \x1b[31m",
        "int x;\r\nint y;\r\n",
        "const char *s = R\"(\nInvoke-HaloCheck ''\n)\";",
        "int x; //" + "x" * 300_000,
    ],
)
def test_the_source_arrives_as_it_is(host: WindowsHost, msvc: Judge, code: str) -> None:
    code += "\nint add(int a, int b) { return a + b; }"
    verdict = msvc(fenced(code))
    assert verdict.fault is None
    assert host.log()[-1][1] == hashlib.sha256(code.encode()).hexdigest()
    assert host.leftovers() == []


@pytest.mark.parametrize(
    "code",
    [
        '#include "C:\\Users\\me\\.ssh\\id_ed25519"',
        '#include "\\\\evil\\share\\x.h"',
        '#include "//evil/share/x.h"',
        "#include </dev/zero>",
        '#include "../../secret"',
        '#define F "x"\n#include F',
        '#incl\\\nude "\\\\evil\\x"',
        '%:include "/etc/passwd"',
        '#include /* */ "\\\\evil\\x"',
        '#import "evil.tlb"',
        '#using "evil.dll"',
        '#pragma include_alias("vector", "\\\\evil\\x")',
        '__pragma(comment(linker, "/DEFAULTLIB:\\\\evil\\x"))',
        '#pragma comment(lib, "\\\\evil\\x.lib")',
        '#pragma comment(linker, "/OUT:C:/x")',
        "#embed </dev/zero>",
    ],
)
def test_files_of_the_host_are_out_of_reach(host: WindowsHost, msvc: Judge, code: str) -> None:
    before = len(host.log())
    verdict = msvc(fenced(f"{code}\nint main() {{}}"))
    assert (verdict.reward, verdict.passed) == (0.0, False)
    assert verdict.detail.startswith("not compiled: ")
    assert len(host.log()) == before


def test_plain_includes_and_libraries_are_not_refused() -> None:
    plain = (
        '#include <sys/types.h>\n#include "stdio.h" // input\n#pragma comment(lib, "ws2_32.lib")\n# include <vector>'
    )
    assert reach(plain) == ""


def test_a_program_cannot_pass_its_error_off_as_a_fault(msvc: Judge) -> None:
    forged = '#pragma message("fatal error C1085: Cannot write: No space left on device")\n'
    verdict = msvc(fenced(forged + GOOD.replace("b; }", "c; }")))
    assert (verdict.reward, verdict.passed) == (0.0, False)
    assert msvc(fenced(GOOD + "\n#error fatal error C1060: compiler is out of heap space")).reward == 0.0


def test_sessions_are_kept_open_and_shared(host: WindowsHost, build: Callable[..., Judge]) -> None:
    check = build(workers=2)
    before = len(host.log())
    texts = [fenced(FUNCTION.format(number)) for number in range(12)]
    assert all(verdict.passed for verdict in check.all(*texts))
    calls = host.log()[before:]
    assert len(calls) == len(texts)
    assert len({session for session, _, _ in calls}) <= 2
    check.all(texts[0], texts[0], texts[0])
    assert len(host.log()) == before + len(texts) + 1


def test_a_bomb_is_killed_and_counts_against_the_program(build: Callable[..., Judge], host: WindowsHost) -> None:
    bomb = "constexpr long f(long n) { long s = 0; for (long i = 0; i < 99999; ++i) s += i ^ n; return s; }\n"
    bomb += "".join(f"constexpr long v{n} = f({n});\n" for n in range(9999))
    verdict = build(compile_timeout_s=4)(fenced(bomb))
    assert (verdict.reward, verdict.repeatable) == (0.0, False)
    assert "timed out" in verdict.detail
    assert host.leftovers() == []


@pytest.mark.parametrize(
    ("mishap", "words"),
    [
        ("disk-full", "not enough space on the disk"),
        ("die", "ended"),
        ("garbage", "cannot be read"),
        ("bare", "lacks"),
        ("flood", "too long an answer"),
    ],
)
def test_mishaps_of_the_host_are_faults(
    build: Callable[..., Judge], host: WindowsHost, mishap: str, words: str
) -> None:
    check = build()
    host.meet(mishap)
    verdict = check(fenced(GOOD.replace("b;", "c;")))
    assert (verdict.reward, verdict.passed) == (None, False)
    assert words in (verdict.fault or "")
    host.meet("")
    assert check(fenced(GOOD)).passed


def test_a_host_that_falls_silent_is_a_fault(
    build: Callable[..., Judge], host: WindowsHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = build(compile_timeout_s=3)
    monkeypatch.setattr(compiler, "ANSWER_S", 0.0)
    host.meet("hang")
    verdict = check(fenced(GOOD))
    assert (verdict.reward, verdict.passed) == (None, False)
    assert "did not answer within 3 s" in (verdict.fault or "")


def test_a_broken_compiler_is_a_fault_and_never_a_wrong_program(build: Callable[..., Judge], host: WindowsHost) -> None:
    check = build()
    host.meet("broken-cl")
    for code in (GOOD, GOOD[:-2]):
        verdict = check(fenced(code))
        assert verdict.reward is None
        assert "does not compile a trivial program" in (verdict.fault or "")


def test_a_session_that_broke_is_made_anew(build: Callable[..., Judge], host: WindowsHost) -> None:
    check = build()
    host.meet("die-once")
    assert check(fenced(GOOD)).passed
    host.meet("forged")
    assert check(fenced(GOOD)).passed


@pytest.mark.parametrize(("mishap", "words"), [("no-cl", "no cl.exe"), ("no-vcvars", "set the option vcvars")])
def test_a_host_without_compiler_is_said_before_the_run(
    build: Callable[..., Judge], host: WindowsHost, mishap: str, words: str
) -> None:
    host.meet(mishap)
    with pytest.raises(EnvironmentFault, match=words):
        build()


def test_an_unknown_host_key_is_refused(build: Callable[..., Judge], tmp_path: Path) -> None:
    known = tmp_path / "known hosts"
    with pytest.raises(EnvironmentFault, match="ssh-keyscan"):
        build(known_hosts=str(known))
    assert not known.exists()
    assert build(known_hosts=str(known), host_key="accept-new")(fenced(GOOD)).passed
    assert build(known_hosts=str(known))(fenced(GOOD)).passed


def test_a_changed_host_key_is_refused(build: Callable[..., Judge], host: WindowsHost, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    write_known_hosts(host, tmp_path / "known_hosts", tmp_path / "other.pub")
    for host_key in ("known", "accept-new"):
        with pytest.raises(EnvironmentFault, match="somebody may stand between"):
            build(known_hosts=str(tmp_path / "known_hosts"), host_key=host_key)


def test_a_key_that_is_not_authorized_is_refused(build: Callable[..., Judge], tmp_path: Path) -> None:
    make_key(tmp_path / "stranger")
    with pytest.raises(EnvironmentFault, match="authorized_keys"):
        build(ssh_key=str(tmp_path / "stranger"))
    with pytest.raises(EnvironmentFault, match="there is no key"):
        build(ssh_key=str(tmp_path / "gone"))


def test_a_host_that_cannot_be_reached_is_said(build: Callable[..., Judge]) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be reached"):
        build(port=free_port())


def test_a_server_that_goes_away_is_a_fault_until_it_is_back(
    real_sandbox: Any, judge: type[Judge], tmp_path: Path
) -> None:
    host = set_up(tmp_path)
    server = host.start()
    verifier = verifier_config("msvc", host.options).build(real_sandbox, 1)
    check = judge(verifier)
    try:
        assert check(fenced(GOOD)).passed
        stop(server)
        gone = check(fenced(GOOD))
        assert gone.reward is None
        assert "cannot be reached" in (gone.fault or "")
        server = host.start()
        assert check(fenced(GOOD)).passed
    finally:
        verifier.close()
        stop(server)


def test_closing_leaves_no_process(build: Callable[..., Judge]) -> None:
    before = clients()
    check = build(workers=2)
    assert all(verdict.passed for verdict in check.all(*(fenced(FUNCTION.format(number)) for number in range(4))))
    assert clients() > before
    check.verifier.close()
    assert clients() == before


def clients() -> set[int]:
    return {process.pid for process in psutil.Process().children() if process.name() == "ssh"}


def test_the_version_names_the_compiler(build: Callable[..., Judge]) -> None:
    version = build().verifier.version
    assert BANNER in version
    assert build(std="c++20").verifier.version != version


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": "-oProxyCommand=reboot"}, "host"),
        ({"host": "a b"}, "host"),
        ({"user": "-l"}, "user"),
        ({"user": "me; rm"}, "user"),
        ({"vcvars": 'C:\\x" & del *'}, "vcvars"),
        ({"vcvars": "vcvars64.bat"}, "vcvars"),
        ({"std": "c++17 /link"}, "std"),
        ({"password": "x"}, "password"),
        ({"port": 0}, "port"),
    ],
)
def test_options_are_checked(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        verifier_config("msvc", {"host": "build", "user": "me", **options})
    assert f"option '{words}'" in str(error.value)


def test_a_windows_path_and_a_domain_user_are_allowed() -> None:
    vcvars = "C:\\Program Files (x86)\\Microsoft Visual Studio\\2022\\BuildTools\\VC\\Auxiliary\\Build\\vcvars64.bat"
    verifier_config("msvc", {"host": "build-1.example.org", "user": "CORP\\me", "vcvars": vcvars})
