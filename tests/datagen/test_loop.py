"""The whole command against a real server that speaks the protocol, well and badly."""

from __future__ import annotations

import json
from collections import Counter, deque
from pathlib import Path

import pytest
from chat_server import SECTIONS, ChatServer, right_answer
from writing_desk import Desk

from halo_forge.core.errors import ConfigError, EnvironmentFault, RunConflictError
from halo_forge.core.events import EventType
from halo_forge.data.sidecar import read_sidecar
from halo_forge.datagen import asking, sections
from halo_forge.datagen.doubles import NEAR, SAME_PROGRAM, SAME_TASK
from halo_forge.datagen.loop import require_complete

# Dollars for a million tokens, so high that tokens are easily turned into dollars.
DEAR = (1000.0, 1000.0)
COST = 0.15  # of an answer of the server, which says 100 tokens in and 50 out


def test_rows_in_the_order_of_the_plan(desk: Desk, server: ChatServer) -> None:
    summary = desk.generate(concurrency=4)
    rows = desk.rows()
    assert [row["id"] for row in rows] == [f"adding-0-{i:06d}" for i in range(12)]
    assert Counter((row["category"], row["level"]) for row in rows) == dict.fromkeys(
        [("small", "easy"), ("small", "hard"), ("large", "easy"), ("large", "hard")], 3
    )
    assert [message["role"] for message in rows[0]["messages"]] == ["user", "assistant"]
    assert rows[0]["messages"][0]["content"].startswith("Write a Python function `plus_")
    assert "### " not in json.dumps(rows)
    assert rows[0]["model"] == "writer"
    assert (summary.answers, summary.kept, summary.spending.requests) == (12, 12, 12)
    assert (summary.spending.tokens_in, summary.spending.tokens_out) == (1200, 600)
    assert summary.spending.cost_usd is None
    assert any("no price is known" in notice for notice in desk.notices())
    assert len(server.asked) == 12
    assert {body["max_tokens"] for body in server.asked} == {500}
    assert not any("temperature" in body or "seed" in body for body in server.asked)


def test_tests_come_with_the_rows_and_are_what_a_benchmark_reads(desk: Desk) -> None:
    from halo_forge.data import load_conversations, load_prompts

    desk.generate()
    assert len(load_conversations(desk.output).conversations) == 12
    row = desk.rows()[0]
    assert row["tests"].startswith("def test_plus():\n    assert plus_")
    desk.generate(form="prompts")
    prompts = load_prompts(desk.output)
    assert len(prompts) == 12
    assert all(prompt.reference.check for prompt in prompts)
    assert desk.rows()[0]["prompt"] == row["messages"][0]["content"]


def test_done_is_done_and_more_may_be_asked_for(desk: Desk, server: ChatServer) -> None:
    desk.generate()
    first = desk.output.read_bytes()
    desk.generate(resume=True)
    assert (desk.output.read_bytes(), len(server.asked)) == (first, 12)
    desk.generate(count=20)
    assert len(server.asked) == 20
    assert desk.output.read_bytes().startswith(first)
    desk.generate(count=12)
    assert (desk.output.read_bytes(), len(server.asked)) == (first, 20)


def test_the_sidecar_says_where_the_rows_come_from(desk: Desk) -> None:
    from hashlib import sha256

    desk.generate(price_per_million=DEAR)
    told = read_sidecar(desk.output)
    assert told is not None
    assert told.sha256 == sha256(desk.output.read_bytes()).hexdigest()
    assert (told.made_by, told.use, told.counts.read, told.counts.kept) == ("data generate", "sft", 12, 12)
    assert (told.generation["backend"], told.generation["model"]) == ("compatible", "writer")
    assert told.model_dump()["generation"]["spending"]["cost_usd"] == pytest.approx(12 * COST)
    assert told.settings["base_url"] == desk.url


def test_what_is_found_about_generated_rows_is_added_to_their_sidecar(desk: Desk, tmp_path: Path) -> None:
    from halo_forge.config.curate import DecontaminateConfig
    from halo_forge.core.events import EventLog
    from halo_forge.data.curate.decontaminate import decontaminate_file

    desk.generate()
    bench = tmp_path / "bench.jsonl"
    bench.write_text(json.dumps({"prompt": desk.rows()[3]["messages"][0]["content"]}) + "\n")
    config = DecontaminateConfig(against=(str(bench),), output=tmp_path / "clean.jsonl")
    assert decontaminate_file(desk.output, config, EventLog()).kept == 11
    told, cleaned = read_sidecar(desk.output), read_sidecar(tmp_path / "clean.jsonl")
    assert told is not None and cleaned is not None
    assert [entry["hits"] for entry in told.contamination] == [1]
    assert cleaned.generation == told.generation and told.generation["model"] == "writer"


def test_so_many_at_once_and_no_more(desk: Desk, server: ChatServer) -> None:
    server.wait_s = 0.05
    desk.generate(count=24, concurrency=3)
    assert server.most_under_way == 3


def test_a_server_in_every_bad_mood(desk: Desk, server: ChatServer) -> None:
    moods = ["429", "500", "502", "503", "529", "408", "cut", "drop", "bad", "list", "parts", "no_choices"]
    server.script = deque(moods)
    summary = desk.generate(count=24, concurrency=4, attempts=20)
    assert (summary.answers, summary.kept, summary.left_out) == (24, 24, {})
    assert summary.spending.requests == len(server.asked) == 24 + len(moods)
    # Not those that were turned away before any work was done: 429, 503, 529, 408.
    assert summary.spending.maybe_paid == len(moods) - 4
    failed = desk.entries("failed")
    assert sorted(entry["maybe_paid"] for entry in failed) == [False] * 4 + [True] * 8
    assert any("429: no (429)" in entry["reason"] for entry in failed)


def test_answers_that_are_paid_and_of_no_use(desk: Desk, server: ChatServer) -> None:
    server.script = deque(["empty", "null", "length", "filter", "odd"])
    summary = desk.generate(concurrency=1)
    assert summary.dropped == {
        sections.EMPTY: 2,
        sections.TRUNCATED: 1,
        sections.REFUSED: 1,
        sections.UNFINISHED: 1,
    }
    assert (summary.answers, summary.kept, len(server.asked)) == (12, 7, 12)
    assert desk.rows()[0]["id"] == "adding-0-000005"


def test_half_of_a_surrogate_pair_is_replaced(desk: Desk, server: ChatServer) -> None:
    server.script = deque(["surrogate"])
    assert desk.generate(count=1).kept == 1
    assert "\ufffd" in desk.entries("answer")[0]["text"]


def test_counts_that_cannot_be_true_count_at_their_most(desk: Desk, server: ChatServer) -> None:
    server.script = deque(["no_usage", "bad_usage"])
    summary = desk.generate(count=3, concurrency=1, price_per_million=DEAR)
    most = [entry["most_in"] for entry in desk.entries("asked")]
    assert summary.spending.untold == 2
    assert summary.spending.tokens_out == 500 + 500 + 50
    assert summary.spending.tokens_in == most[0] + most[1] + 100


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(desk: Desk, server: ChatServer) -> None:
    server.script = deque(["429"])
    server.retry_after = "0.6"
    desk.generate(count=3, concurrency=1)
    assert server.times[1] - server.times[0] >= 0.6


def test_being_put_off_is_no_failed_attempt(desk: Desk, server: ChatServer) -> None:
    server.script = deque(["429"] * 9)
    server.retry_after = "0"
    assert desk.generate(count=2, concurrency=1, attempts=1).answers == 2


def test_a_server_that_wants_to_be_left_alone_for_long(desk: Desk, server: ChatServer) -> None:
    server.script = deque(["", "429"])
    server.retry_after = "3600"
    with pytest.raises(EnvironmentFault, match="left alone for 3600 s"):
        desk.generate(concurrency=1)
    assert len(desk.entries("answer")) == 1


@pytest.mark.parametrize(
    ("mood", "kind", "said"),
    [
        ("401", ConfigError, "refuses: 401"),
        ("404", ConfigError, "refuses: 404"),
        ("402", EnvironmentFault, "refuses: 402"),
        ("quota", EnvironmentFault, "exceeded your current quota"),
    ],
)
def test_a_refusal_ends_it_and_what_is_under_way_is_stored(
    desk: Desk, server: ChatServer, mood: str, kind: type[Exception], said: str
) -> None:
    server.script = deque([mood])
    server.wait_s = 0.1
    with pytest.raises(kind, match=said):
        desk.generate(concurrency=4)
    assert len(desk.entries("answer")) == len(server.asked) - 1 == sum(server.paid.values()) < 12
    assert not desk.output.exists()
    desk.generate()
    assert max(server.paid.values()) == 1


def test_a_server_that_fails_again_and_again_is_given_up(desk: Desk, server: ChatServer) -> None:
    server.script = deque(["400"] * 50)
    with pytest.raises(EnvironmentFault, match="5 items in a row stayed without an answer, the last by: 400"):
        desk.generate(concurrency=1)
    assert len(server.asked) == asking.MOST_LEFT_OUT_IN_A_ROW


def test_an_item_without_an_answer_is_told_and_asked_for_again(desk: Desk, server: ChatServer) -> None:
    server.script = deque(["500", "500"])
    summary = desk.generate(concurrency=1, attempts=2)
    assert (summary.answers, summary.kept, list(summary.left_out.values())) == (11, 11, [1])
    with pytest.raises(EnvironmentFault, match="1 of 12 items stayed without an answer"):
        require_complete(summary)
    again = desk.generate(concurrency=1)
    require_complete(again)
    assert (again.answers, len(server.asked)) == (12, 14)
    assert desk.rows()[0]["id"] == "adding-0-000000"


def test_nobody_listens(desk: Desk) -> None:
    with pytest.raises(EnvironmentFault, match="the connection failed"):
        desk.generate(base_url="http://127.0.0.1:9/v1", attempts=1)
    assert not any(entry["maybe_paid"] for entry in desk.entries("failed"))


def test_a_server_that_is_too_slow(desk: Desk, server: ChatServer) -> None:
    server.script = deque(["slow"])
    server.slow_s = 0.8
    summary = desk.generate(count=2, concurrency=1, timeout_s=0.3)
    assert (summary.answers, summary.spending.maybe_paid) == (2, 1)
    assert desk.entries("failed")[0]["reason"] == "no answer within 0.3 s"


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("mood", ["", "no_usage", "500"])
def test_no_request_is_begun_that_could_pass_the_budget(
    desk: Desk, server: ChatServer, concurrency: int, mood: str
) -> None:
    server.script = deque([mood] * 3)
    budget = 6.0
    summary = desk.generate(count=40, concurrency=concurrency, budget=budget, price_per_million=DEAR)
    assert summary.by_budget
    cost = summary.spending.cost_usd
    assert cost is not None
    assert cost <= budget
    # Every request was affordable when it was begun, and the next one is not.
    most = spent = 0.0
    under_way: dict[int, float] = {}
    for line in desk.ledger.read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] == "asked":
            most = (entry["most_in"] + entry["most_out"]) / 1000
            spent += most
            assert spent <= budget + 1e-9
            under_way[entry["item"]] = most
        elif entry["kind"] == "answer":
            spent += (entry["tokens_in"] + entry["tokens_out"]) / 1000 - under_way.pop(entry["item"])
        elif entry["kind"] == "failed":
            spent -= 0 if entry["maybe_paid"] else under_way.pop(entry["item"])
    assert spent == pytest.approx(cost)
    assert cost + most > budget - 0.1
    assert any("allows no further request" in notice for notice in desk.notices())
    assert len(desk.rows()) == summary.kept > 0


def test_a_larger_budget_continues_and_counts_what_is_spent(desk: Desk, server: ChatServer) -> None:
    first = desk.generate(count=40, budget=6.0, price_per_million=DEAR)
    asked = len(server.asked)
    assert desk.generate(count=40, budget=6.0, price_per_million=DEAR).by_budget
    assert len(server.asked) == asked
    second = desk.generate(count=40, budget=100.0, price_per_million=DEAR)
    assert (second.answers, second.by_budget) == (40, False)
    assert max(server.paid.values()) == 1
    assert first.spending.cost_usd == pytest.approx(first.answers * COST)


def test_a_budget_needs_a_price(desk: Desk, server: ChatServer) -> None:
    with pytest.raises(ConfigError, match="--budget needs a price"):
        desk.generate(budget=1.0)
    assert not server.asked
    assert not desk.ledger.exists()


def test_the_same_again_is_dropped(desk: Desk, server: ChatServer) -> None:
    def answer(number: int, prompt: str) -> str:
        if number == 3:
            return right_answer(1, prompt).replace("Write a", "WRITE  a")
        if number == 5:
            return right_answer(2, prompt).replace("Write", "Please write").replace("x + 2", "x  +  2  # so")
        return right_answer(number, prompt)

    server.answer = answer
    summary = desk.generate(concurrency=1)
    assert summary.dropped == {SAME_TASK: 1, SAME_PROGRAM: 1}
    assert summary.kept == 10


def test_nearly_the_same_is_dropped_in_whatever_order_answers_come(desk: Desk, server: ChatServer) -> None:
    def answer(number: int, prompt: str) -> str:
        words = " ".join(f"word{place}" for place in range(100))
        if number in (4, 7, 9):  # one word in a hundred is another
            return SECTIONS.format(n=4, words=words.replace("word50", f"other{number}"), sum=5).replace(
                "x + 4", f"{number} + x"
            )
        return right_answer(number, prompt)

    server.answer = answer
    summary = desk.generate(concurrency=1)
    assert summary.dropped == {NEAR: 2} and summary.kept == 10
    first = desk.output.read_bytes()
    assert desk.generate(near_threshold=1.0).kept == 12
    assert desk.generate().dropped == {NEAR: 2} and desk.output.read_bytes() == first
    # One that is dropped hides nobody: row 7 is not there for row 9 to resemble.
    assert [row["id"][-2:] for row in desk.rows()] == [f"{place:02}" for place in range(12) if place not in (7, 9)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 1}, "seed was 0, now 1"),
        ({"model": "other"}, "model was 'writer', now 'other'"),
        ({"temperature": 0.5}, "temperature was None, now 0.5"),
        ({"max_new_tokens": 7}, "max_new_tokens was 500, now 7"),
    ],
)
def test_other_settings_are_refused(desk: Desk, changes: dict[str, object], said: str) -> None:
    desk.generate(count=2)
    with pytest.raises(RunConflictError, match=said):
        desk.generate(count=2, **changes)


def test_another_topic_is_refused_and_other_rules_are_not(desk: Desk, server: ChatServer) -> None:
    assert desk.generate(count=4).kept == 4
    text = desk.topic.read_text()
    desk.topic.write_text(text.replace("style: plain", "style: fancy"))
    with pytest.raises(RunConflictError, match="the topic's content"):
        desk.generate(count=4)
    desk.topic.write_text(text.replace("import os", "return"))
    summary = desk.generate(count=4)
    assert (summary.kept, summary.dropped) == (0, {sections.FOUND + r": \breturn\b": 4})
    assert len(server.asked) == 4


def test_anthropics_protocol(desk: Desk, server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("anthropic")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-1")
    server.script = deque(["429", "529", "500", "length", "filter"])
    url = server.url.removesuffix("/v1")
    summary = desk.generate(backend="anthropic", base_url=url, model="claude-x", concurrency=1, temperature=0.5)
    assert (summary.answers, summary.kept) == (12, 10)
    assert summary.dropped == {sections.TRUNCATED: 1, sections.REFUSED: 1}
    assert (summary.spending.tokens_in, summary.spending.maybe_paid) == (1200 + desk.entries("asked")[0]["most_in"], 1)
    body, headers = server.asked[0], server.headers[0]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("claude-x", 500, 0.5)
    assert body["system"].startswith("You write training data")
    assert "sk-ant-1" in (headers.get("authorization") or headers["x-api-key"])


@pytest.mark.parametrize(
    ("backend", "variable", "limit"),
    [("deepseek", "DEEPSEEK_API_KEY", "max_tokens"), ("openai", "OPENAI_API_KEY", "max_completion_tokens")],
)
def test_each_backend_sends_its_key_and_nobody_elses(
    desk: Desk, server: ChatServer, monkeypatch: pytest.MonkeyPatch, backend: str, variable: str, limit: str
) -> None:
    for name in ("DEEPSEEK_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HALO_FORGE_SERVER_KEY"):
        monkeypatch.setenv(name, f"the {name}".replace(" ", "-"))
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    desk.generate(backend=backend, count=1)
    assert server.headers[0]["authorization"] == f"Bearer the-{variable}"
    assert ("openai-organization" in server.headers[0]) == (backend == "openai")
    assert server.asked[0][limit] == 500


@pytest.mark.parametrize("backend", ["compatible", "anthropic"])
def test_a_proxy_is_not_asked_for_this_machine(
    desk: Desk, server: ChatServer, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    pytest.importorskip("anthropic")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    url = server.url.removesuffix("/v1") if backend == "anthropic" else server.url
    assert desk.generate(backend=backend, base_url=url, count=2, attempts=1).kept == 2


def test_ollama_costs_nothing(desk: Desk, server: ChatServer) -> None:
    summary = desk.generate(backend="ollama", count=2, budget=0.01)
    assert (summary.spending.cost_usd, summary.kept) == (0.0, 2)


def test_a_key_that_is_not_set(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="put it into the variable DEEPSEEK_API_KEY"):
        desk.generate(backend="deepseek", base_url=None, model=None)


def test_a_client_that_is_not_installed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'halo-forge\[generate\]'"):
        desk.generate()


def test_what_may_be_spent_is_said_beforehand(desk: Desk) -> None:
    desk.generate(count=2, price_per_million=DEAR)
    started = next(i for i, event in enumerate(desk.heard) if event.type is EventType.PHASE_STARTED)
    said = str(desk.heard[started - 1].m["message"])
    most = sum(entry["most_in"] + 500 for entry in desk.entries("asked")) / 1000
    assert said == f"2 answers of writer cost about ${most:.2f} at the very most"


def test_the_output_is_replaced_whole_or_not_at_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.generate(count=4)
    before = desk.output.read_bytes()

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(Path, "replace", full)
        desk.generate(count=8)
    assert desk.output.read_bytes() == before
    assert desk.generate(count=8).kept == 8
