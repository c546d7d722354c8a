"""Every page in a real browser: accessible, within the screen, with the keyboard, and what is done without training."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_browser import Visit
from page_server import Server
from playwright.sync_api import Browser, Download, expect
from sample_runs import finished_run, picture, with_samples

FILLED = "#line:not(:has-text('…'))"
# Address -> what is there once the page's scripts have done their work.
PAGES = {
    "/": "[data-meter=cpu]:has-text('%')",
    "/train": ".tile",
    "/benchmark": ".tile",
    "/new/raft-train?preset=raft_conservative": FILLED,
    "/new/sft-train": FILLED,
    "/new/reasoning-train": FILLED,
    "/new/benchmark-eval": FILLED,
    "/new/data-prepare?dataset=gsm8k": FILLED,
    "/new/demo": FILLED,
    "/results": "table.runs",
    "/results?q=nothing+fits": ".empty",
    "/datasets?file=prompts.jsonl": "details.row",
    "/config": ".messages .fine",
    "/verifiers": "#verifier",
    "/runs/{early}": ".chart canvas",
    "/runs/{early}/samples": "audio",
    "/runs/{early}/space": "[name=path]",
    "/compare?run={early}&run={later}": ".chart canvas",
    "/login": "h1",
    "/runs/none": ".empty-page",
}


def run_ids(site: Server) -> dict[str, str]:
    return {row["name"]: row["run_id"] for row in site.page.get("/api/results").json()}


@pytest.mark.parametrize("look", ["light on a screen", "dark on a telephone"])
def test_every_page_is_accessible_and_fits(browser: Browser, site: Server, look: str) -> None:
    dark = look.startswith("dark")
    visit = Visit(browser, site.page.address, phone=dark, dark=dark)
    ids = run_ids(site)
    for address, ready in PAGES.items():
        visit.page.goto(address.format(**ids))
        visit.page.locator(ready).first.wait_for()
        visit.check()
    visit.close()


def test_runs_are_compared_and_cloned(visit: Visit, site: Server) -> None:
    page = visit.page
    page.goto("/results?q=er&kind=raft")
    page.get_by_label("Compare later").check()
    expect(page.get_by_role("button", name="Compare")).to_be_disabled()
    page.goto("/results?kind=raft")
    page.get_by_label("Compare early").check()
    page.get_by_label("Compare later").check()
    page.get_by_role("button", name="Compare 2 runs").click()
    expect(page.get_by_role("heading", name="Compare 2 runs")).to_be_visible()
    expect(page.get_by_text("held-out pass@1").first).to_be_visible()
    page.goto("/results")
    page.get_by_label("Clone early to the form").click()
    expect(page.locator("[data-field=prompts] input")).to_have_value("p.jsonl")
    assert not page.locator("[data-field=output] input").input_value().endswith("early")


def tab_to(visit: Visit, selector: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(200):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached")


def test_with_the_keyboard_alone(visit: Visit) -> None:
    page, keys = visit.page, visit.page.keyboard
    saved: list[Download] = []
    page.on("download", lambda download: saved.append(download))
    page.goto("/")
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    tab_to(visit, "nav a[href='/train']")
    keys.press("Enter")
    page.wait_for_url("**/train")
    tab_to(visit, "a[href='/new/sft-train']")
    keys.press("Enter")
    page.wait_for_url("**/new/sft-train")
    for key, text in {"model": "no-such-model", "data": "rows.jsonl", "output": "typed"}.items():
        tab_to(visit, f"#f-{key}")
        keys.press("Control+a")
        keys.type(text)
    keys.press("Enter")  # in a field it neither starts a run nor saves the form
    tab_to(visit, "button[type=submit]:not([form]):not([formaction])")
    keys.press("Enter")
    page.wait_for_url("**/runs/*")
    assert not saved
    page.locator("h1 .state.failed").wait_for(timeout=180_000)
    expect(page.locator("[data-ended]")).to_contain_text("no-such-model")
    tab_to(visit, "a[href*='from=']")
    keys.press("Enter")
    expect(page.locator("#f-model")).to_have_value("no-such-model")


def test_a_form_that_was_filled_says_what_it_lacks(visit: Visit) -> None:
    page = visit.page
    page.goto("/new/raft-train")
    expect(page.locator("[data-field=prompts] .need")).to_have_text("this or Dataset")
    expect(page.locator("[data-field=prompts] .error")).to_be_empty()
    page.get_by_label("Preset").select_option("raft_conservative")
    page.get_by_role("button", name="Fill in", exact=True).click()
    expect(page.locator("[data-field=cycles] input")).to_have_value("3")
    expect(page.locator("[data-field=prompts] .error")).to_contain_text("--prompts")
    expect(page.locator("#f-prompts")).to_be_focused()
    expect(page.locator("#line")).to_contain_text("Prompts or Dataset")
    visit.fill(prompts="prompts.jsonl")
    expect(page.locator("[data-field=dataset] .error")).to_be_empty()
    expect(page.locator("#line")).to_contain_text("--prompts prompts.jsonl")
    visit.check()


def test_a_prompt_is_seen_and_heard(visit: Visit, site: Server) -> None:
    page = visit.page
    page.goto(f"/runs/{run_ids(site)['early']}/samples")
    link = page.get_by_role("link", name="Image 1 of the prompt seen").first
    expect(link).to_be_visible()
    expect(link.get_by_role("img")).to_have_js_property("naturalWidth", 480)
    expect(page.locator("audio").first).to_have_js_property("duration", 1)
    link.focus()
    page.keyboard.press("Enter")
    large = page.get_by_role("dialog").get_by_role("img")
    expect(large).to_be_visible()
    expect(large).to_have_js_property("naturalWidth", 1200)
    visit.check()
    page.keyboard.press("Escape")
    expect(large).to_be_hidden()
    expect(link).to_be_focused()


def test_an_image_that_has_changed_says_so(visit: Visit, site: Server, home: Path) -> None:
    (home / "changed").mkdir()
    with_samples(finished_run(home / "runs" / "changed"), home / "changed")
    picture(home / "changed" / "picture.png", (30, 30))
    visit.page.goto(f"/runs/{run_ids(site)['changed']}/samples")
    visit.page.get_by_role("link", name="Image 1 of the prompt seen cannot be shown").first.click()
    expect(visit.page.get_by_text("has changed since")).to_be_visible()


def test_checkpoints_are_set_aside_and_put_back(visit: Visit, home: Path) -> None:
    run = finished_run(home / "runs" / "spacious")
    page = visit.page
    page.goto("/results?q=spacious")
    page.get_by_role("link", name="spacious", exact=True).click()
    page.get_by_role("link", name="free space").click()
    page.get_by_role("button", name="Set aside").click()
    expect(page.get_by_role("heading", name="Set aside")).to_be_visible()
    assert not (run / "cycle_1_final").exists()
    visit.check()
    page.get_by_role("button", name="Put back").click()
    expect(page.get_by_role("button", name="Set aside")).to_be_visible()
    assert (run / "cycle_1_final" / "model.safetensors").exists()


def test_the_theme_is_remembered(visit: Visit) -> None:
    page = visit.page
    page.goto("/")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Switch between light and dark").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.goto("/results")
    assert light != dark == page.evaluate("getComputedStyle(document.body).backgroundColor")
    visit.check()


def test_a_program_is_judged(visit: Visit) -> None:
    page = visit.page
    page.goto("/verifiers")
    page.locator("#program").fill("int twice(int n) { return n * 3; }")
    page.locator("#tests").fill("assert(twice(3) == 6);")
    page.get_by_role("button", name="Judge").click()
    expect(page.locator(".reward .state")).to_have_text("failed")
    expect(page.locator(".stages .failed")).to_contain_text("tests")
    visit.check()


def test_settings_are_checked_at_their_lines(visit: Visit) -> None:
    page = visit.page
    page.goto("/config")
    expect(page.locator(".messages .fine")).to_be_visible()
    page.get_by_label("Settings").fill("model: m\nprompts: p\noutput: o\ncycels: 3\n")
    expect(page.locator(".messages")).to_contain_text("did you mean 'cycles'?")
    expect(page.locator(".lines .bad")).to_have_text("4")
    visit.check()
    page.get_by_label("Settings").fill("model: m\nprompts: p\ncycles: 3\n")
    page.get_by_role("button", name="To the form").click()
    expect(page.locator("[data-field=cycles] input")).to_have_value("3")
