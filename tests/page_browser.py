"""Debian's Chromium, driven as a person would."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 60_000
expect.set_options(timeout=WAIT_MS)
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


@contextmanager
def open_browser() -> Iterator[Browser]:
    assert CHROMIUM is not None, "the tests of the page need Debian's chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """A tab that notes every request that leaves the server, and every error of a script."""

    def __init__(self, browser: Browser, address: str, *, phone: bool = False, dark: bool = False) -> None:
        self.context: BrowserContext = browser.new_context(
            base_url=address,
            viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.strangers: list[str] = []
        self.errors: list[str] = []
        ours = (address, "data:", "blob:")
        self.page.on("request", lambda r: None if r.url.startswith(ours) else self.strangers.append(r.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: self._note(line.type, line.text))

    def _note(self, kind: str, text: str) -> None:
        # What a server that was killed no longer answers is no error of a script.
        if kind == "error" and not text.startswith("Failed to load resource"):
            self.errors.append(text)

    def check(self, **rules: object) -> None:
        """No violation of accessibility, no request elsewhere, no error, nothing wider than the screen.

        Args:
            rules: which of axe's, as its option `runOnly` or `rules` has it; by default all.
        """
        found = Axe().run(self.page, options=rules or None)
        told = [
            f"{one['id']}: {one['help']}: " + "; ".join(str(node["target"]) for node in one["nodes"][:4])
            for one in found.response["violations"]
        ]
        assert not told, f"{self.page.url}\n" + "\n".join(told)
        assert not self.strangers and not self.errors, (self.strangers, self.errors)
        wide = self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1")
        assert not wide, f"{self.page.url} is wider than the screen"

    def fill(self, **texts: str) -> None:
        """Put texts into fields of a form, by the names of settings."""
        for key, text in texts.items():
            field = self.page.locator(f"[data-field={key}] :is(input, textarea, select)")
            if field.evaluate("element => element.tagName") == "SELECT":
                field.select_option(text)
            else:
                field.fill(text)

    def close(self) -> None:
        self.context.close()

    def shot(self, path: Path, *, full: bool = False) -> None:
        self.page.screenshot(path=path, full_page=full)
