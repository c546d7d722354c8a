"""Verification on a real Ray cluster whose nodes die, differ and come late."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ray_cluster import Nodes, ray_nodes

from halo_forge.config.load import load
from halo_forge.config.verify import VerifyConfig
from halo_forge.core.errors import ConfigError, EnvironmentFault, HaloError
from halo_forge.core.events import Event, EventType
from halo_forge.rollout.ray_cluster import Node, differences
from halo_forge.rollout.ray_judge import NodeReport
from halo_forge.rollout.ray_members import Member
from halo_forge.verify.loop import verify_file
from halo_forge.verify.summary import VerifySummary

pytestmark = pytest.mark.usefixtures("scripted")


@pytest.fixture(scope="module")
def nodes(scripted_package: Path) -> Iterator[Nodes]:
    with ray_nodes(2, scripted_package) as cluster:
        yield cluster


class Folder:
    """A file of rows, and its verdicts by either executor."""

    def __init__(self, path: Path, texts: list[str]) -> None:
        self.path = path
        rows = ({"id": i, "prompt": "p", "completion": text} for i, text in enumerate(texts))
        (path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def verify(
        self, name: str, *listeners: Callable[[Event], None], options: dict[str, Any] | None = None, **changes: object
    ) -> VerifySummary:
        settings = {"verifier": "scripted", "sandbox": "limits", "verifier_options": options or {}, "cache": False}
        config = load(VerifyConfig, {**settings, "output": self.path / name, **changes}).config
        return verify_file(self.path / "in.jsonl", self.path / name, config, listeners)

    def content(self, name: str) -> bytes:
        return (self.path / name).read_bytes()


def texts(count: int) -> list[str]:
    return [f"{'right' if i % 3 else 'wrong'} {i}" for i in range(count)]


def test_the_same_file_as_on_one_machine(nodes: Nodes, tmp_path: Path) -> None:
    folder = Folder(tmp_path, [*texts(3000), "raise", "half", "nonsense"])
    alone = folder.verify("local.jsonl")
    spread = folder.verify("ray.jsonl", executor="ray", ray_address=nodes.address)
    assert folder.content("ray.jsonl") == folder.content("local.jsonl")
    assert spread.counts == alone.counts
    assert (spread.verifier, spread.verifier_version, spread.sandbox_tier) == ("scripted", "1", "limits")


@pytest.mark.slow
def test_what_was_begun_here_goes_on_there(nodes: Nodes, tmp_path: Path) -> None:
    folder = Folder(tmp_path, texts(300))
    folder.verify("whole.jsonl")
    folder.verify("part.jsonl")
    with (tmp_path / "in.jsonl").open("a") as file:
        file.write(json.dumps({"id": "more", "prompt": "p", "completion": "right more"}) + "\n")
    folder.verify("part.jsonl", executor="ray", ray_address=nodes.address)
    assert folder.content("part.jsonl").startswith(folder.content("whole.jsonl"))
    assert len(folder.content("part.jsonl").splitlines()) == 301


def test_a_node_that_dies_loses_and_doubles_nothing(nodes: Nodes, tmp_path: Path) -> None:
    folder = Folder(tmp_path, texts(600))
    log = tmp_path / "judged.txt"
    doomed = nodes.add()
    notices: list[str] = []

    def hear(event: Event) -> None:
        if event.type is EventType.NOTICE:
            notices.append(str(event.m["message"]))
        if event.type is EventType.PROGRESS and 0 < (event.step or 0) < 600:
            nodes.kill(doomed)

    folder.verify("local.jsonl")
    slow = {"pause_s": 0.02, "log": str(log)}
    folder.verify("ray.jsonl", hear, options=slow, executor="ray", ray_address=nodes.address)
    assert folder.content("ray.jsonl") == folder.content("local.jsonl")
    assert sum("was lost" in notice and "judged elsewhere" in notice for notice in notices) == 1
    assert 600 < len(log.read_text().splitlines()) < 650  # the batches of the node that died ran again, nothing else


@pytest.mark.slow
def test_a_node_that_comes_late_takes_part(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halo_forge.rollout.ray_verifier.LOOK_PACE_S", 0.5)
    folder = Folder(tmp_path, texts(1500))
    late: list[Any] = []
    notices: list[str] = []

    def hear(event: Event) -> None:
        if event.type is EventType.NOTICE:
            notices.append(str(event.m["message"]))
        if event.type is EventType.PROGRESS and (event.step or 0) > 0 and not late:
            late.append(nodes.add())
            late.append(nodes.add(SCRIPTED_TOOLCHAIN="2"))

    options = {"mood": "native", "pause_s": 0.02}
    folder.verify("ray.jsonl", hear, options=options, executor="ray", ray_address=nodes.address)
    for node in late:
        nodes.take_away(node)
    assert any("has joined" in notice for notice in notices)
    assert any("is not used, as it would judge differently: verifier (" in notice for notice in notices)
    assert [json.loads(line)["id"] for line in folder.content("ray.jsonl").splitlines()] == [*map(str, range(1500))]


def test_unlike_nodes_are_refused_with_a_list(nodes: Nodes, tmp_path: Path) -> None:
    folder = Folder(tmp_path, texts(3))
    odd = nodes.add(SCRIPTED_TOOLCHAIN="13.1")
    with pytest.raises(EnvironmentFault, match=r"judge differently: verifier \(node .*; node .*\)\. A") as caught:
        folder.verify("ray.jsonl", options={"mood": "native"}, executor="ray", ray_address=nodes.address)
    nodes.take_away(odd)
    assert ": 13.1" in str(caught.value) and ": 1;" in str(caught.value).replace(": 1)", ": 1;")
    assert "tier" not in str(caught.value)


def test_what_differs_is_said_by_node() -> None:
    report = NodeReport(name="gcc", verifier="12.2", tier="bubblewrap", halo_forge="0.1", machine="x86_64")
    other = report.model_copy(update={"tier": "landlock"})
    said = differences({"node a": report, "node b": other, "node c": report})
    assert said == "tier (node a, node c: bubblewrap; node b: landlock)"


def test_towards_the_end_of_the_line_nodes_hold_less() -> None:
    small, large = (Member(Node("n", "host", 4, 0), None, workers, window=64 * workers) for workers in (1, 3))
    assert [small.room(waiting, 4) for waiting in (4_000, 100, 8, 1, 0)] == [64, 25, 2, 2, 2]
    assert [large.room(waiting, 4) for waiting in (4_000, 100, 8, 1, 0)] == [192, 75, 6, 6, 6]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mood": "refuse"}, r"^no toolchain: install one \(node .*\)$"),
        ({"mood": "die"}, "ended before it was ready: exit status 3"),
        ({"colour": 1}, "^verifier 'scripted' has no option 'colour'"),
    ],
)
def test_errors_of_building_name_the_node(nodes: Nodes, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HaloError, match=message):
        Folder(tmp_path, texts(3)).verify("ray.jsonl", options=options, executor="ray", ray_address=nodes.address)


@pytest.mark.slow
def test_a_program_that_kills_its_judge_is_a_fault_there_as_here(nodes: Nodes, tmp_path: Path) -> None:
    folder = Folder(tmp_path, [*texts(40), "exit", *texts(40)])
    folder.verify("ray.jsonl", executor="ray", ray_address=nodes.address, max_fault_rate=1.0)
    rows = [json.loads(line) for line in folder.content("ray.jsonl").splitlines()]
    assert [i for i, row in enumerate(rows) if row["reward"] is None] == [40]
    assert "died while it judged this (exit status 7" in rows[40]["fault"]


@pytest.mark.slow
def test_without_any_node_left_the_command_stops_and_then_continues(
    scripted_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halo_forge.rollout.ray_verifier.NODE_PATIENCE_S", 1.0)
    folder = Folder(tmp_path, texts(300))
    folder.verify("local.jsonl")
    with ray_nodes(0, scripted_package) as cluster:
        only = cluster.add()

        def hear(event: Event) -> None:
            if event.type is EventType.PROGRESS and (event.step or 0) > 20:
                cluster.kill(only)

        settings: dict[str, Any] = {"executor": "ray", "ray_address": cluster.address}
        with pytest.raises(EnvironmentFault, match=r"no node of the Ray cluster has been left.*the same command"):
            folder.verify("ray.jsonl", hear, options={"pause_s": 0.02}, **settings)
        assert 20 < len(folder.content("ray.jsonl").splitlines()) < 300
        cluster.add()
        folder.verify("ray.jsonl", options={"pause_s": 0.02}, **settings)
    assert folder.content("ray.jsonl") == folder.content("local.jsonl")


def test_a_missing_ray_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'halo-forge\[ray\]'"):
        Folder(tmp_path, texts(3)).verify("ray.jsonl", executor="ray")


def test_addresses_without_a_cluster_are_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path, texts(3))
    with pytest.raises(ConfigError, match="one of Ray Client"):
        folder.verify("ray.jsonl", executor="ray", ray_address="ray://127.0.0.1:10001")
    with pytest.raises(EnvironmentFault, match=r"no Ray cluster at --ray-address 127.0.0.1:9 .*ray start --head"):
        folder.verify("ray.jsonl", executor="ray", ray_address="127.0.0.1:9")


@pytest.mark.slow
def test_a_cluster_that_asks_for_a_token_gets_it(scripted_package: Path, tmp_path: Path) -> None:
    """As `ray start` makes it where the user has a token."""
    (tmp_path / "in.jsonl").write_text(json.dumps({"id": 0, "prompt": "p", "completion": "right"}) + "\n")
    port = free_port()
    homes = {name: tmp_path / name for name in ("ours", "strange")}
    for name, home in homes.items():
        (home / ".ray").mkdir(parents=True)
        (home / ".ray" / "auth_token").write_text(f"{name}-{'0' * 32}")
    plain = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environments = {name: {**plain, "HOME": str(home), "RAY_USAGE_STATS_ENABLED": "0"} for name, home in homes.items()}
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=1"]
    ray += [f"--port={port}", "--include-dashboard=false", "--object-store-memory=80000000"]
    words = [sys.executable, "-m", "halo_forge", "verify", str(tmp_path / "in.jsonl"), "--verifier", "scripted"]
    words += ["--output", str(tmp_path / "out.jsonl"), "--sandbox", "limits", "--executor", "ray"]
    words += ["--ray-address", f"127.0.0.1:{port}"]
    started = subprocess.Popen(ray, env=environments["ours"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        refused = subprocess.run(words, env=environments["strange"], capture_output=True, text=True, timeout=120)
        assert refused.returncode == 3 and "asks for a token and takes none of this user's" in refused.stderr
        taken = subprocess.run(words, env=environments["ours"], capture_output=True, text=True, timeout=120)
        assert taken.returncode == 0, taken.stderr
        assert json.loads((tmp_path / "out.jsonl").read_text())["passed"]
    finally:
        started.terminate()
        started.wait(30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def wait_for_port(port: int) -> None:
    for _ in range(600):
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.1)
