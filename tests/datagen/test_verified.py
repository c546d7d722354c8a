"""--verify with the real toolchains: what is right is kept, what is not is counted by the stage at which it ended."""

from __future__ import annotations

import shutil

import pytest
from chat_server import ChatServer
from writing_desk import Desk

RUST = """use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{{Context, Poll, Wake, Waker}};

struct Still;
impl Wake for Still {{
    fn wake(self: Arc<Self>) {{}}
}}

struct Countdown(u32);
impl Future for Countdown {{
    type Output = u32;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u32> {{
        if self.0 == 0 {{
            return Poll::Ready({n});
        }}
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }}
}}

fn run<T>(future: impl Future<Output = T>) -> T {{
    let waker = Waker::from(Arc::new(Still));
    let mut context = Context::from_waker(&waker);
    let mut future = Box::pin(future);
    loop {{
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {{
            return value;
        }}
    }}
}}

fn main() {{
    assert_eq!(run(async {{ Countdown(3).await + 1 }}), {sum});
}}"""
GO = """package main

import "sync"

func total(numbers []int) int {{
	var group sync.WaitGroup
	var mutex sync.Mutex
	sum := {n}
	for _, number := range numbers {{
		group.Add(1)
		go func(number int) {{
			defer group.Done()
			mutex.Lock()
			defer mutex.Unlock()
			sum += number
		}}(number)
	}}
	group.Wait()
	return sum
}}

func main() {{
	if total([]int{{1}}) != {sum} {{
		panic("wrong")
	}}
}}"""
CPP = """#include <vector>

long plus(const std::vector<long>& numbers) {{
    long sum = {n};
    for (long number : numbers) sum += number;
    return sum;
}}"""
PYTHON = '''def plus(numbers: list[int]) -> int:
    """Add up."""
    if not numbers:
        raise ValueError("nothing to add")
    return {n} + sum(numbers)'''
PYTHON_TESTS = """def test_ordinary():
    assert plus([1]) == {sum}


def test_nothing():
    try:
        plus([])
    except ValueError:
        pass
    else:
        assert False"""
CASES = {
    "rust_async": ("rust", "rustc", RUST, None, "run"),
    "go_concurrency": ("go", "go", GO, None, "run"),
    "cpp_algorithms": ("cpp", "g++", CPP, "assert(plus({{1}}) == {sum});\nassert(plus({{}}) == {n});", "tests"),
    "python_testing": ("python", "python3", PYTHON, PYTHON_TESTS, "tests"),
}


@pytest.mark.parametrize("topic", CASES)
def test_right_answers_are_kept_and_others_are_counted(desk: Desk, server: ChatServer, topic: str) -> None:
    fence, tool, program, tests, stage = CASES[topic]
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}")

    def answer(number: int, prompt: str) -> str:
        wrong, broken = number == 2, number == 4
        values = {"n": number, "sum": number + 1 + wrong}
        code = program.format(**values)
        if broken:
            code = code.replace("return", "return (", 1)
        text = f"### Task\nAdd {number}.\n\n### Answer\nSo:\n```{fence}\n{code}\n```\n"
        return text if tests is None else f"{text}\n### Tests\n```{fence}\n{tests.format(**values)}\n```\n"

    server.answer = answer
    # The programs differ by a number only.
    settings = {"count": 6, "concurrency": 1, "sandbox": "auto", "near_threshold": 1.0}
    summary = desk.generate(topic=topic, verify=True, **settings)
    assert summary.verifier == CASES[topic][0].replace("cpp", "gcc")
    assert (summary.kept, summary.rejected, summary.unverifiable) == (4, {"compile": 1, stage: 1}, {})
    rows = desk.rows()
    assert [row["id"][-1] for row in rows] == ["0", "1", "3", "5"]
    assert {row["stage"] for row in rows} == {stage}
    assert all(row["reward"] == (1.0 if tests else 0.7) for row in rows)
    assert all(("tests" in row) == (tests is not None) for row in rows)
    # Judging anew costs nothing at the server, and changes nothing.
    first = desk.output.read_bytes()
    assert desk.generate(topic=topic, verify=True, **settings).kept == 4
    assert desk.output.read_bytes() == first
    assert desk.generate(topic=topic, **settings).kept == 6
    assert len(server.asked) == 6


def test_kept_rows_pass_the_verify_command(desk: Desk, server: ChatServer) -> None:
    import json

    from halo_forge.config.load import load
    from halo_forge.config.verify import VerifyConfig
    from halo_forge.verify.loop import verify_file

    desk.generate(count=6, verify=True)
    rows = [
        {**row, "completion": row["messages"][1]["content"], "messages": row["messages"][:1]} for row in desk.rows()
    ]
    file = desk.folder / "again.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {"verifier": "python", "sandbox": "limits", "workers": 2, "output": desk.folder / "verdicts.jsonl"}
    counts = verify_file(file, desk.folder / "verdicts.jsonl", load(VerifyConfig, settings).config).counts
    assert (counts.rows, counts.passed) == (6, 6)


def test_a_missing_verifier_is_told_before_anything_is_paid(desk: Desk, server: ChatServer) -> None:
    from halo_forge.core.errors import ConfigError

    with pytest.raises(ConfigError, match="unknown verifier 'pyhton'"):
        desk.generate(verify=True, verifier="pyhton")
    with pytest.raises(ConfigError, match="has no option 'speed'"):
        desk.generate(verify=True, verifier_options={"speed": 1})
    assert not server.asked


def test_what_cannot_be_verified_is_not_kept(desk: Desk, server: ChatServer) -> None:
    from halo_forge.core.errors import TooManyFaults

    # `custom` says by the status 2 that it could not judge.
    options = {"command": ["sh", "-c", "exit 2"], "language": "python"}
    changes = {"verify": True, "verifier": "custom", "verifier_options": options, "count": 30}
    with pytest.raises(TooManyFaults, match="could not be verified"):
        desk.generate(**changes)
    summary = desk.generate(**changes, max_fault_rate=1.0)
    assert (summary.kept, sum(summary.unverifiable.values())) == (0, 30)
