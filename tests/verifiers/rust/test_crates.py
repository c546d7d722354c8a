from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from halo_forge.core.errors import EnvironmentFault
from halo_forge.verifiers.rust.config import DEBIAN_CRATES, RustConfig

if TYPE_CHECKING:
    from conftest import BreakableSandbox, Judge

ASYNC = """use anyhow::Context;

async fn doubled(text: &str) -> anyhow::Result<i32> {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    Ok(text.trim().parse::<i32>().context("not a number")? * 2)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let task = tokio::spawn(async move { doubled(&line).await });
    println!("{}", task.await??);
    Ok(())
}
"""
CASES = ({"input": "21\n", "output": "42\n"},)


def fenced(code: str) -> str:
    return f'```toml\n[dependencies]\ntokio = "1"\n```\n```rust\n{code}\n```\n'


@pytest.fixture(scope="module", autouse=True)
def has_crates() -> None:
    assert (DEBIAN_CRATES / "tokio-1.24.2").is_dir() or list(DEBIAN_CRATES.glob("tokio-1*")), (
        "these tests need crate sources: apt-get install librust-tokio-dev librust-anyhow-dev"
    )


@pytest.fixture(scope="module")
def rust(real_sandbox: Any, judge: type[Judge]) -> Iterator[Judge]:
    verifier = RustConfig(crates=("tokio:full", "anyhow")).build(real_sandbox, 2)
    yield judge(verifier)
    verifier.close()


def test_programs_use_crates(rust: Judge) -> None:
    assert rust(fenced(ASYNC), cases=CASES).reward == 1.0
    assert rust(fenced(ASYNC.replace("* 2", "* 3")), cases=CASES).reward == 0.7
    failing = rust(fenced(ASYNC), cases=({"input": "x\n", "output": "42\n"},))
    assert failing.reward == 0.5, failing
    assert rust(fenced(ASYNC)).reward == 0.5
    assert rust(fenced(ASYNC.replace("let mut line", "let unused = 1; let mut line"))).reward == 0.3


def test_asserts_may_await(rust: Judge) -> None:
    right = ('assert_eq!(doubled("4").await.unwrap(), 8);', 'assert!(doubled("x").await.is_err());')
    assert rust(fenced(ASYNC), asserts=right, entry_point="doubled").reward == 1.0
    assert rust(fenced(ASYNC), asserts=('assert_eq!(doubled("4").await.unwrap(), 9);',)).reward == 0.7


def test_a_crate_that_was_not_declared_does_not_compile(rust: Judge) -> None:
    for code in ('use serde::Serialize;\nfn main() { println!("{}", 1 + 2 + 3); }', "extern crate libc;\n" + ASYNC):
        verdict = rust(fenced(code), cases=CASES)
        assert (verdict.reward, verdict.fault) == (0.0, None), verdict


def test_a_manifest_in_the_program_is_passed_over(rust: Judge) -> None:
    script = f'#!/usr/bin/env -S cargo +nightly -Zscript\n---\n[dependencies]\ntokio = "1"\n---\n{ASYNC}'
    assert rust(fenced(script), cases=CASES).passed


def test_crates_are_built_once(sandbox: BreakableSandbox, rust: Judge) -> None:
    verifier = RustConfig(crates=("tokio:full", "anyhow")).build(sandbox, 1)
    first = sandbox.runs
    RustConfig(crates=("tokio:full", "anyhow")).build(sandbox, 1).close()
    assert sandbox.runs == 2 * first
    assert verifier.version == rust.verifier.version
    verifier.close()


def test_crates_that_disappear_are_a_fault(
    real_sandbox: Any, judge: type[Judge], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    verifier = RustConfig(crates=("anyhow",)).build(real_sandbox, 1)
    check = judge(verifier)
    code = "fn main() -> anyhow::Result<()> { anyhow::ensure!(1 + 1 == 2); Ok(()) }"
    assert check(fenced(code)).reward == 0.5
    for file in tmp_path.rglob("*.rlib"):
        file.unlink()
    verdict = check(fenced(code + "\n"))
    assert verdict.reward is None
    assert "does not work" in (verdict.fault or "")
    verifier.close()


@pytest.mark.parametrize(
    ("crates", "vendor", "said"),
    [
        (("no-such-crate",), DEBIAN_CRATES, "no-such-crate"),
        (("anyhow@9",), DEBIAN_CRATES, "anyhow"),
        (("anyhow",), Path("/no/such/folder"), "librust"),
    ],
)
def test_a_crate_that_cannot_be_had_is_named(
    real_sandbox: Any, crates: tuple[str, ...], vendor: Path, said: str
) -> None:
    with pytest.raises(EnvironmentFault, match=said):
        RustConfig(crates=crates, vendor=vendor).build(real_sandbox, 1)


def test_build_scripts_run_in_the_sandbox(
    real_sandbox: Any, judge: type[Judge], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SECRET_OF_THE_HARNESS", "told")
    marker = tmp_path / "marker"
    crate = tmp_path / "vendor" / "spy-1.0.0"
    (crate / "src").mkdir(parents=True)
    (crate / "Cargo.toml").write_text('[package]\nname = "spy"\nversion = "1.0.0"\nbuild = "build.rs"\n')
    (crate / ".cargo-checksum.json").write_text('{"files": {}, "package": null}')
    (crate / "src" / "lib.rs").write_text('pub const FOUND: &str = env!("FOUND");\n')
    (crate / "build.rs").write_text(f"""fn main() {{
    let written = std::fs::write("{marker}", "x").is_ok();
    let read = std::fs::read("/etc/passwd").is_ok() || std::env::var("SECRET_OF_THE_HARNESS").is_ok();
    let online = std::net::TcpStream::connect("127.0.0.1:22").is_ok();
    println!("cargo:rustc-env=FOUND={{written}} {{read}} {{online}}");
}}
""")
    verifier = RustConfig(crates=("spy",), vendor=tmp_path / "vendor").build(real_sandbox, 1)
    verdict = judge(verifier)(
        fenced('fn main() { println!("{}", spy::FOUND); }'), cases=({"input": "", "output": "false false false"},)
    )
    assert verdict.passed, verdict
    assert not marker.exists()
    verifier.close()
