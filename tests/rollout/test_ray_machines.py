"""A Ray cluster over machines with a network of their own, set up by the commands of the documentation."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from launched import flags, wait_until
from machines import Machine, joined_machines, needs_machines

from halo_forge.core.events import EventType, read_events
from halo_forge.rollout.records import read_rollouts

pytestmark = [pytest.mark.slow, needs_machines]
RAY = (sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus", "1")
PORT = 6379
COUNT = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
print(sum(node["Alive"] for node in ray.nodes()))
"""
# Ray gives a silent node up after about a minute; with these after a few seconds.
IMPATIENT = {"RAY_health_check_timeout_ms": "1000", "RAY_health_check_period_ms": "1000"}
TIMES = {"wall_s": 0.0, "cpu_s": 0.0, "peak_memory_mb": None}


class RayMachines:
    """Machines that are a Ray cluster, with a token as it should be; the first is the head."""

    def __init__(self, machines: list[Machine], folder: Path) -> None:
        self.machines, self.address = machines, f"{machines[0].address}:{PORT}"
        self._folder = folder
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
        self._environment = {**os.environ, **token, **IMPATIENT}
        self.begin(0, "--head", "--port", str(PORT), "--node-ip-address", machines[0].address)
        self.wait_for(1)
        for number in range(1, len(machines)):
            self.begin(number)
        self.wait_for(len(machines))

    def begin(self, number: int, *how: str) -> None:
        """Start Ray on a machine."""
        how = how or ("--address", self.address)
        self._start(number, [*RAY, *how, "--object-store-memory", "80000000"], f"ray.{number}.log")

    def wait_for(self, count: int) -> None:
        """Wait until so many nodes are up."""
        words = self.machines[0].command([sys.executable, "-c", COUNT, self.address])
        until = time.monotonic() + 120
        while True:
            up = subprocess.run(words, env=self._environment, capture_output=True, text=True, timeout=60)
            if up.returncode == 0 and int(up.stdout.split()[-1]) == count:
                return
            assert time.monotonic() < until, up.stderr
            time.sleep(0.5)

    def start(self, words: Sequence[str], log: str) -> subprocess.Popen[bytes]:
        """Start halo-forge on the first machine, on this cluster."""
        on_ray = flags(executor="ray", ray_address=self.address)
        return self._start(0, [sys.executable, "-m", "halo_forge", *words, *on_ray], log)

    def finish(self, words: Sequence[str], log: str) -> None:
        """Run halo-forge on this cluster to a good end."""
        assert self.start(words, log).wait(300) == 0, self.said(log)

    def said(self, log: str) -> str:
        """What was printed to a log."""
        return (self._folder / log).read_text()[-4000:]

    def _start(self, number: int, words: Sequence[str], log: str) -> subprocess.Popen[bytes]:
        return self.machines[number].start(words, self._folder / log, self._environment)


@pytest.fixture(scope="module")
def cluster(
    cache_of_our_own: None, terse_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RayMachines]:
    pytest.importorskip("ray")
    folder = tmp_path_factory.mktemp("machines")
    with joined_machines(3, folder, tmp_path_factory.getbasetemp()) as machines:
        for machine in machines:
            machine.bring(terse_model)
        yield RayMachines(machines, folder)


def verdicts(file: Path) -> list[str]:
    """Lines of a file of verdicts, timings aside."""
    return [json.dumps({**json.loads(line), **TIMES}) for line in file.read_text().splitlines()]


def here(words: Sequence[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "halo_forge", *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """C++ programs, a third of them with an error."""
    file = tmp_path / "programs.jsonl"
    ends = (";" * (i % 3 > 0) for i in range(60))
    bodies = (f"#include <map>\nint main() {{ std::map<int, int> m; return m[{i}]{e} }}" for i, e in enumerate(ends))
    rows = ({"id": f"r{i}", "prompt": "p", "completion": f"```cpp\n{body}\n```"} for i, body in enumerate(bodies))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_verdicts_are_the_same_though_a_link_falls_silent(cluster: RayMachines, programs: Path, tmp_path: Path) -> None:
    def verify(output: Path) -> list[str]:
        return ["verify", str(programs), *flags(verifier="gcc", output=output, workers=1), "--no-cache"]

    alone, spread, cut = (tmp_path / f"{name}.jsonl" for name in ("alone", "spread", "cut"))
    here(verify(alone))
    cluster.finish(verify(spread), "spread.log")
    assert verdicts(spread) == verdicts(alone) and len(verdicts(alone)) == 60
    running = cluster.start(verify(cut), "cut.log")
    wait_until(lambda: cut.exists() and cut.stat().st_size > 0)
    cluster.machines[1].cut()
    try:
        assert running.wait(300) == 0, cluster.said("cut.log")
    finally:
        cluster.machines[1].join()
    assert verdicts(cut) == verdicts(alone)
    assert "judged elsewhere" in cluster.said("cut.log")
    cluster.machines[1].kill()  # Ray has done so, or is about to: a node that was given up ends
    cluster.begin(1)
    cluster.wait_for(3)


def content(run: Path) -> dict[str, bytes | list[str]]:
    """What must not depend on who drew and judged."""
    found: dict[str, bytes | list[str]] = {}
    for path in sorted(path for path in run.rglob("*") if path.is_file()):
        name = str(path.relative_to(run))
        if name.startswith("rollouts/") and path.suffix == ".jsonl":
            found[name] = [
                r.model_copy(update={"verdict": r.verdict.model_copy(update=TIMES)}).model_dump_json()
                for r in read_rollouts(path)
            ]
        elif name.startswith("kept/") or path.suffix == ".safetensors":
            found[name] = path.read_bytes()
    return found


def test_a_run_is_the_same_though_a_link_falls_silent(cluster: RayMachines, terse_model: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"id": f"p{i}", "prompt": f"add {i} to n"}) + "\n" for i in range(24)))
    drawing = {"samples_per_prompt": 8, "generation_batch": 8, "max_new_tokens": 24, "holdout_fraction": 0.25}
    training = {"tuning": "lora", "learning_rate": "1e-3", "batch_size": 4, "device": "cpu", "dtype": "float32"}
    common = {"model": terse_model, "prompts": prompts, "cycles": 2, "select": "random", "threads": 1, "workers": 1}

    def raft(output: Path) -> list[str]:
        return ["raft", "train", *flags(**common, **drawing, **training, output=output), "--no-cache"]

    def notices(output: Path) -> list[str]:
        return [str(e.m["message"]) for e in read_events(output / "events.jsonl") if e.type is EventType.NOTICE]

    alone, cut = tmp_path / "alone", tmp_path / "cut"
    here(raft(alone))
    running = cluster.start(raft(cut), "raft.log")
    first = cut / "rollouts" / "cycle_1.jsonl"
    wait_until(lambda: (first.exists() and first.stat().st_size > 0) or running.poll() is not None)
    cluster.machines[2].cut()
    try:
        assert running.wait(300) == 0, cluster.said("raft.log")
    finally:
        cluster.machines[2].join()
    assert content(cut) == content(alone)
    assert "cycle_2_final/adapter_model.safetensors" in content(cut)
    said = notices(cut)
    assert any("3 replicas" in notice for notice in said), said
    assert any("its chunk is drawn elsewhere" in n or "judged elsewhere" in n or "was lost" in n for n in said), said
