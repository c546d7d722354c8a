"""Speed and memory of the page in headless Chromium, on folders made for it, as JSON.

    python benchmarks/web.py [--runs 500] [--rollouts 100000] [--log-mb 100] [--points 10000] [--repeats 5]

The real server and Debian's Chromium (`pip install 'halo-forge[dev]'` has what drives it). A page is ready when what
it is for is on the screen: the dashboard's meters, the last line of a log, the first sample. That is timed in two ways:
`first_ms` and `second_ms` from outside, until the driver has found it, which looks after 0, 20, 70, 170, 270, 770 ms
and so on; `..._painted_ms` by the page's own clock, from the navigation to the end of the frame that shows it. Chart
times are given until the drawing is told (`..._script_ms`) and until the frame with it is painted. Milliseconds are
wall time, each the median of several; the load averages say what else the machine did, since other work slows it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from httpx2 import Client, TransportError
from playwright.sync_api import Browser, sync_playwright

from halo_forge.config.load import load
from halo_forge.config.sft import SftTrainConfig
from halo_forge.core.events import EventType
from halo_forge.core.types import Completion, Message, Prompt, Reference, Rollout, Stage, Verdict
from halo_forge.rollout.records import append_records
from halo_forge.runs.run_dir import open_run

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
BATCH, SAMPLES = 5_000, 8
CHART = """async (count) => {
  const { Chart } = await import("/static/charts.js");
  const box = document.createElement("div");
  box.style.width = "700px";
  document.body.append(box);
  const xs = Array.from({ length: count }, (_, i) => i), line = () => xs.map((x) => Math.sin(x / 300) + Math.random());
  const painted = () => new Promise((done) => setTimeout(done)); // the frame under way comes before
  const scripts = [], frames = [];
  const chart = new Chart(box, "loss", ["loss"]);
  for (let i = 0; i < 21; i++) {
    const data = [xs, line()];
    await new Promise(requestAnimationFrame);
    const begun = performance.now();
    chart.set(data);
    await null; // it draws in a microtask
    scripts.push(performance.now() - begun);
    await painted();
    frames.push(performance.now() - begun);
  }
  return { scripts, frames };
}"""
# Notes when the frame has been painted that shows an element with a text.
WATCH = """(() => {
  const [selector, text] = %s;
  const watch = new MutationObserver(() => {
    if (![...document.querySelectorAll(selector)].some((element) => element.textContent.includes(text))) return;
    watch.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.paintedAt = performance.now(); }));
  });
  watch.observe(document, { subtree: true, childList: true, characterData: true });
})()"""


def make_runs(root: Path, count: int) -> None:
    """Finished runs, as a list of runs meets them."""
    for number in range(count):
        folder = root / f"run-{number:03}"
        loaded = load(SftTrainConfig, {"model": "m", "data": "rows.jsonl", "output": folder, "seed": number})
        with open_run("sft", loaded, folder, {}) as run:
            for step in range(1, 21):
                run.events.emit(EventType.STEP, phase="train", step=step, loss=1 / step, learning_rate=1e-4)


def make_large_run(folder: Path, rollouts: int, log_mb: int, points: int) -> None:
    """One run with everything in plenty."""
    loaded = load(SftTrainConfig, {"model": "m", "data": "rows.jsonl", "output": folder})
    chance = random.Random(0)
    with open_run("sft", loaded, folder, {}) as run:
        run.events.emit(EventType.PHASE_STARTED, phase="train", total=points)
        for step in range(1, points + 1):
            run.events.emit(EventType.STEP, phase="train", step=step, loss=1 + chance.random() / step)
        file = run.rollouts("cycle_1")
        file.parent.mkdir(exist_ok=True)
        messages = (Message(role="user", content=f"Write int f(int n). {'Mind the overflow. ' * 30}"),)
        reference = Reference(asserts=("assert(f(2) == 4);",))
        names = [f"p{number}" for number in range(-(-rollouts // SAMPLES))]
        prompts = [Prompt(id=name, messages=messages, reference=reference) for name in names]
        append_records(run.path / "prompts.jsonl", prompts)
        for begin in range(0, rollouts, BATCH):
            append_records(file, [rollout(i, chance) for i in range(begin, min(begin + BATCH, rollouts))])
    line = "12:00:00  cycle 1 · train 1,234/9,999 · loss 0.1234 · 1,234 tokens a second\n"
    with (folder / "console.log").open("w") as log:
        for _ in range(log_mb):
            log.write(line * ((1 << 20) // len(line)))
        log.write("the last line\n")


def rollout(number: int, chance: random.Random) -> Rollout:
    """A completion of 200 tokens, of which a quarter pass."""
    passed = number % 4 == 0
    text = f"int f{number}(int n) {{\n    // {'so ' * 60}\n    return n * {number};\n}}\n"
    tokens = tuple(chance.randrange(32_000) for _ in range(200))
    completion = Completion(
        prompt_id=f"p{number // SAMPLES}",
        index=number % SAMPLES,
        text=text,
        token_ids=tokens,
        logprobs=tuple(round(-chance.random(), 4) for _ in tokens),
    )
    detail = "" if passed else f"assertion {number % 5} failed"
    verdict = Verdict(reward=float(passed), passed=passed, stage=Stage.TESTS, detail=detail)
    return Rollout(cycle=1, chunk=number // 64, completion=completion, verdict=verdict)


class Server:
    """`halo-forge ui` on a free port."""

    def __init__(self, root: Path) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        begun = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "halo_forge", "ui", "--port", str(port), "--runs-root", str(root)], cwd=root.parent
        )
        self.address = f"http://127.0.0.1:{port}"
        self.client = Client(base_url=self.address, timeout=120, trust_env=False)
        while True:
            try:
                self.client.get("/static/app.css")
                break
            except TransportError:
                time.sleep(0.02)
        self.start_s = time.perf_counter() - begun

    @property
    def memory_mb(self) -> float:
        """Resident size."""
        return round(psutil.Process(self.process.pid).memory_info().rss / 1e6, 1)

    def ms(self, path: str, repeats: int, pause_s: float = 0) -> float:
        """Median time of a request."""
        times = []
        for _ in range(repeats):
            time.sleep(pause_s)
            begun = time.perf_counter()
            answer = self.client.get(path)
            times.append(time.perf_counter() - begun)
            assert answer.status_code == 200, (path, answer.status_code)
        return round(statistics.median(times) * 1e3, 1)


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    """Serve a folder of runs."""
    server = Server(root)
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(timeout=30)


def loads_ms(browser: Browser, address: str, path: str, ready: str, text: str, repeats: int) -> dict[str, float]:
    """First and second load of a page in a fresh context, until an element with a text is there."""
    times: dict[str, list[float]] = {}
    for _ in range(repeats):
        context = browser.new_context(base_url=address)
        page = context.new_page()
        page.add_init_script(WATCH % json.dumps([ready, text]))
        for name in ("first", "second"):
            begun = time.perf_counter()
            page.goto(path, wait_until="commit")
            page.locator(ready, has_text=text).first.wait_for()
            times.setdefault(f"{name}_ms", []).append((time.perf_counter() - begun) * 1e3)
            while (painted := page.evaluate("window.paintedAt")) is None:  # to wait by an expression is forbidden here
                page.wait_for_timeout(5)
            times.setdefault(f"{name}_painted_ms", []).append(painted)
        context.close()
    return {name: round(statistics.median(found)) for name, found in times.items()}


def measure_lists(work: Path, browser: Browser, runs: int, repeats: int) -> dict[str, Any]:
    """The server at rest, the dashboard and the table of many runs."""
    root = work / "many"
    make_runs(root, runs)
    with serving(root) as server:
        time.sleep(2)
        found: dict[str, Any] = {"server_start_s": round(server.start_s, 2), "idle_mb": server.memory_mb}
        # A list is kept for a second, so that one that is asked for later is looked up anew.
        found["list_runs"] = {"runs": runs, "looked_up_ms": server.ms("/api/results", repeats, pause_s=1.2)}
        found["list_runs"]["table_ms"] = server.ms("/results", repeats, pause_s=1.2)
        found["dashboard"] = loads_ms(browser, server.address, "/", "[data-meter=cpu]", "%", repeats)
        found["idle_mb_after"] = server.memory_mb
        return found


def measure_run(work: Path, browser: Browser, options: argparse.Namespace) -> dict[str, Any]:
    """One run with a long log, many points and many samples."""
    root = work / "large"
    make_large_run(root / "run", options.rollouts, options.log_mb, options.points)
    with serving(root) as server:
        run_id = server.client.get("/api/results").json()[0]["run_id"]
        log, samples = f"/api/runs/{run_id}/log", f"/runs/{run_id}/samples"
        repeats = options.repeats
        found: dict[str, Any] = {}
        begun = time.perf_counter()
        server.client.get(samples)
        found["samples"] = {
            "rollouts": options.rollouts,
            "file_mb": round((root / "run" / "rollouts" / "cycle_1.jsonl").stat().st_size / 1e6),
            "first_request_ms": round((time.perf_counter() - begun) * 1e3, 1),
            "page_ms": server.ms(f"{samples}?page=1999", repeats),
            "filter_ms": server.ms(f"{samples}?outcome=failed&sort=tokens", repeats),
            "search_ms": server.ms(f"{samples}?q=return+n+*+{options.rollouts - 7}", repeats),
        }
        found["samples"] |= loads_ms(browser, server.address, samples, ".sample", "", repeats)
        found["log"] = {
            "mb": options.log_mb,
            "tail_ms": server.ms(log, repeats),
            "search_ms": server.ms(f"{log}/search?q=the+last+line", repeats),
        }
        page = f"/runs/{run_id}"
        found["log"] |= loads_ms(browser, server.address, page, "[data-lines]", "the last line", repeats)
        found["run_page"] = loads_ms(browser, server.address, page, ".chart", "Loss", repeats)
        found["chart"] = {"points": options.points} | chart_ms(browser, server.address, options.points)
        found["server_mb"] = server.memory_mb
        return found


def chart_ms(browser: Browser, address: str, points: int) -> dict[str, float]:
    """Drawing a chart for the first time, and again with other values."""
    context = browser.new_context(base_url=address)
    page = context.new_page()
    page.goto("/login")
    times = page.evaluate(CHART, points)
    context.close()
    found: dict[str, float] = {}
    for way, (first, *others) in {"script_ms": times["scripts"], "ms": times["frames"]}.items():
        found |= {f"first_{way}": round(first, 1), f"update_{way}": round(statistics.median(others), 1)}
    return found


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=re.sub(r"\n\n.*", "", str(__doc__), flags=re.S))
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--rollouts", type=int, default=100_000)
    parser.add_argument("--log-mb", type=int, default=100)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        parser.error("it needs Debian's chromium: apt-get install chromium")
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load_before": os.getloadavg()}
    parts: dict[str, Callable[[Path, Browser], dict[str, Any]]] = {
        "lists": lambda work, browser: measure_lists(work, browser, options.runs, options.repeats),
        "run": lambda work, browser: measure_run(work, browser, options),
    }
    result: dict[str, Any] = {"machine": machine}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        machine["chromium"] = browser.version
        for part, measured in parts.items():
            result[part] = measured(Path(name) / part, browser)
        browser.close()
    machine["load_after"] = os.getloadavg()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
