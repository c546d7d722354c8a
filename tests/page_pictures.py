"""Take the pictures of the page that the documentation shows.

    make demo
    .venv/bin/python tests/page_pictures.py [--runs runs/demo-seed0] [--to docs/images]

A copy of the demo's runs is served and looked at in Debian's Chromium. One of its runs is started again, so that there
is something to watch, and stopped before the end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from page_browser import Visit, open_browser
from page_server import Server, end_runs, serving
from PIL import Image
from playwright.sync_api import Browser

REPOSITORY = Path(__file__).resolve().parents[1]
COLOURS = 255
PROGRAM = """\
#include <vector>

int largest(const std::vector<int>& values) {
    int best = 0;
    for (int value : values) best = value > best ? value : best;
    return best;
}
"""
TESTS = "assert(largest({3, 9, 2}) == 9);\nassert(largest({-3, -9}) == -3);"


class Photographer:
    """Goes to pages and takes pictures of them."""

    def __init__(self, browser: Browser, server: Server, folder: Path) -> None:
        self._browser, self._server, self._folder = browser, server, folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, name: str, address: str, *, dark: bool = False, phone: bool = False, act: str = "") -> None:
        """Take one picture.

        Args:
            act: `judge` to have a program judged first.
        """
        visit = Visit(self._browser, self._server.page.address, dark=dark, phone=phone)
        page = visit.page
        page.goto(address)
        page.wait_for_load_state("networkidle")
        if act == "judge":
            page.locator("#program").fill(PROGRAM)
            page.locator("#entry_point").fill("largest")
            page.locator("#tests").fill(TESTS)
            page.get_by_role("button", name="Judge").click()
            page.locator(".reward").wait_for()
        page.wait_for_timeout(1_500)
        file = self._folder / f"{name}.png"
        visit.shot(file)
        visit.close()
        image = Image.open(file).convert("RGB")
        image.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
        print(f"{file}  {file.stat().st_size / 1e3:.0f} KB")


def main() -> None:
    """Serve a copy of the runs and take a picture of every page."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/demo-seed0"), help="The demo's folder.")
    parser.add_argument("--to", type=Path, default=Path("docs/images"), help="Folder of the pictures.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        shutil.copytree(options.runs, home / "runs" / "demo")
        settle(home / "runs" / "demo")
        shutil.copytree(REPOSITORY / "configs", home / "configs")
        (home / "data").mkdir()
        shutil.copy(next((home / "runs" / "demo").glob("**/prompts.jsonl")), home / "data" / "prompts.jsonl")
        with serving(home / "runs", cwd=home) as server, open_browser() as browser:
            take_all(Photographer(browser, server, options.to), server)
        end_runs(home / "runs")
        time.sleep(1)


def settle(demo: Path) -> None:
    """Let the runs of a copy name each other where they lie now, so that they can be started again."""
    before = json.loads((demo / "launch_context.json").read_text())["output_dir"]
    for file in demo.glob("**/launch_context.json"):
        file.write_text(file.read_text().replace(before, str(demo)))


def take_all(camera: Photographer, server: Server) -> None:
    """Every page, once."""
    ids = {row["name"]: row["run_id"] for row in server.page.get("/api/results").json()}
    raft, sft = ids["demo/raft"], ids["demo/sft"]
    camera.take("training", "/train")
    camera.take("form", "/new/raft-train?preset=raft_conservative")
    camera.take("run", f"/runs/{raft}")
    camera.take("run-dark", f"/runs/{raft}", dark=True)
    camera.take("run-phone", f"/runs/{raft}", phone=True)
    camera.take("samples", f"/runs/{raft}/samples")
    camera.take("results", "/results")
    arms = [ids[f"demo/benchmark_{name}"] for name in ("sft", "raft", "control")]
    camera.take("compare", "/compare?" + "&".join(f"run={arm}" for arm in arms))
    camera.take("datasets", "/datasets?file=data%2Fprompts.jsonl")
    camera.take("verifiers", "/verifiers", act="judge")
    camera.take("config", "/config")
    again = server.page.post(f"/runs/{sft}/rerun").headers["location"].removeprefix("/runs/")
    server.page.post(f"/runs/{raft}/rerun")
    server.page.wait(again, "running")
    time.sleep(12)
    camera.take("dashboard", "/")
    camera.take("dashboard-dark", "/", dark=True)
    camera.take("running", f"/runs/{again}")


if __name__ == "__main__":
    main()
