"""What a person does with runs, in a real browser: real training of a tiny model, judged by a real compiler."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

from page_browser import Visit
from page_server import Server
from playwright.sync_api import Browser, expect

OVER_MS = 180_000
TINY = {
    "device": "cpu",
    "samples_per_prompt": "4",
    "max_new_tokens": "12",
    "holdout_fraction": "0.3",
    "patience": "0",
}


def start(visit: Visit, state: str) -> str:
    """Press Start, follow the run to a state, and return its id."""
    visit.page.get_by_role("button", name="Start").click()
    visit.page.wait_for_url("**/runs/*")
    visit.page.locator(f"h1 .state.{state}").wait_for(timeout=OVER_MS)
    return visit.page.url.rpartition("/")[2]


def test_sft_then_raft_from_the_form(visit: Visit, site: Server, terse_model: Path, home: Path) -> None:
    page = visit.page
    page.goto("/")
    page.get_by_role("link", name="Train a model", exact=True).first.click()
    page.get_by_role("link", name=re.compile("Supervised fine-tuning on conversations")).click()
    visit.fill(model=str(terse_model), output="sft", max_steps="none")
    expect(page.locator("[data-field=max_steps] .error")).to_contain_text("integer")
    visit.fill(max_steps="30", data="rows.jsonl", device="cpu", tuning="full", learning_rate="5e-3", batch_size="8")
    expect(page.locator("#line")).to_contain_text("--max-steps 30")
    sft = start(visit, "succeeded")
    expect(page.locator("[data-lines]")).to_contain_text("finished in")
    expect(page.locator(".chart").first).to_be_visible()
    visit.check()

    page.goto("/new/raft-train")
    visit.fill(model=str(home / "runs" / "sft"), prompts="prompts.jsonl", output="raft", cycles="1", **TINY)
    visit.fill(verifier_options="min_tokens=0")  # what it learnt is a declaration that compiles, and short
    start(visit, "succeeded")
    visit.check()
    page.get_by_role("link", name="Samples").click()
    expect(page.locator(".sample").first).to_be_visible()
    assert page.locator(".sample").count() == 24
    page.locator("input[name=sample]").first.check()
    page.get_by_label("Selection").select_option("kept")
    page.get_by_role("button", name="Show").click()
    kept = page.locator(".sample .tag.kept").count()
    assert 0 < kept == page.locator(".sample").count() < 24
    page.get_by_label("Selection").select_option("")
    page.get_by_label("Direction").select_option("falling")
    page.get_by_role("button", name="Show").click()
    page.locator("input[name=sample]").first.check()  # the first of the other order, too, is still chosen
    page.get_by_role("button", name="Compare two").click()
    expect(page.locator("table.diff")).to_be_visible()
    visit.check()
    assert site.page.post(f"/runs/{sft}/resume").status_code == 409


def test_a_run_is_stopped_resumed_and_survives_the_server(
    browser: Browser, serve: Callable[..., Server], terse_model: Path, home: Path
) -> None:
    first = serve(cwd=home)
    visit = Visit(browser, first.page.address)
    visit.page.goto("/new/raft-train")
    visit.fill(model=str(terse_model), prompts="prompts.jsonl", output="raft", cycles="200", **TINY)
    visit.fill(verifier="custom", verifier_options="command=/bin/true")  # a model that has learnt nothing is to go on
    run_id = start(visit, "running")
    visit.page.locator("[data-lines]", has_text="generate").wait_for()
    visit.page.get_by_role("button", name="Stop", exact=True).click()
    visit.page.locator("h1 .state.stopped").wait_for(timeout=OVER_MS)
    visit.page.get_by_role("button", name="Resume latest").click()
    visit.page.locator("h1 .state.running").wait_for(timeout=OVER_MS)
    first.end(signal.SIGKILL)
    visit.close()

    visit = Visit(browser, serve(cwd=home).page.address)
    visit.page.goto(f"/runs/{run_id}")
    visit.page.locator("h1 .state.running").wait_for()
    visit.page.once("dialog", lambda dialog: dialog.accept())
    with visit.page.expect_response("**/kill") as killed:
        visit.page.get_by_role("button", name="Kill").click()
    assert killed.value.status == 303
    visit.page.locator("h1 .state:not(.running):not(.stopping)").wait_for(timeout=OVER_MS)
    expect(visit.page.locator("h1 .state")).to_have_text("stopped")
    expect(visit.page.get_by_role("button", name="Resume latest")).to_be_visible()
    visit.check()
    visit.page.goto("/results")
    visit.page.get_by_role("button", name="Rerun raft").click()
    visit.page.wait_for_url("**/runs/*")
    expect(visit.page.get_by_role("heading", name="raft-2")).to_be_visible()
    expect(visit.page.get_by_text("repeats")).to_be_visible()
    visit.page.locator("h1 :is(.state.starting, .state.running)").wait_for(timeout=OVER_MS)
    visit.close()
