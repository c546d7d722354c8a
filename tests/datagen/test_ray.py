"""--verify on a real Ray cluster: the same file as on one machine, a node that dies in the middle included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import pytest
from chat_server import SECTIONS, ChatServer, right_answer
from ray_cluster import Nodes, ray_nodes
from writing_desk import Desk

from halo_forge.core.events import Event, EventType
from halo_forge.datagen.loop import generate
from halo_forge.datagen.summary import GenerateSummary

pytestmark = pytest.mark.usefixtures("scripted")
COUNT = 60


@pytest.fixture(scope="module")
def nodes(scripted_package: Path, cache_of_our_own: None) -> Iterator[Nodes]:
    with ray_nodes(2, scripted_package) as cluster:
        yield cluster


@pytest.fixture
def at(tmp_path: Path, server: ChatServer, desk: Desk) -> Callable[..., Desk]:
    """Desks with folders of their own, before one topic."""

    def make(name: str) -> Desk:
        (tmp_path / name).mkdir()
        return Desk(tmp_path / name, server.url, desk.topic)

    return make


def by_prompt(number: int, prompt: str) -> str:
    """A right answer and now and then a wrong one, as the prompt alone says."""
    n = crc32(prompt.encode()) % 100_000
    return right_answer(n, prompt).replace(f"== {n + 1}", f"== {n + 1 + (n % 4 == 0)}")


def for_the_scripted(number: int, prompt: str) -> str:
    """An answer that begins with the word which the scripted verifier goes by."""
    n = crc32(prompt.encode()) % 100_000
    text = SECTIONS.format(n=n, words="", sum=n + 1)
    return text.replace("Adding is enough.", f"{'wrong' if n % 4 == 0 else 'right'} {n}")


def told(summary: GenerateSummary) -> dict[str, object]:
    return summary.model_dump(include={"answers", "kept", "dropped", "rejected", "unverifiable"})


def test_the_same_file_as_on_one_machine(nodes: Nodes, server: ChatServer, at: Callable[..., Desk]) -> None:
    server.answer = by_prompt
    here, there = at("here"), at("there")
    settings = {"count": COUNT, "verify": True, "near_threshold": 1.0}
    alone = here.generate(**settings)
    spread = there.generate(**settings, executor="ray", ray_address=nodes.address)
    assert there.output.read_bytes() == here.output.read_bytes()
    assert told(spread) == told(alone)
    assert 0 < spread.kept < COUNT and spread.rejected
    # Judged by the other executor, the answers that are there already give the same file again.
    assert told(there.generate(**settings)) == told(alone)
    assert there.output.read_bytes() == here.output.read_bytes()
    assert there.sidecar()["counts"] == here.sidecar()["counts"]


@pytest.mark.slow
def test_a_node_that_dies_loses_and_doubles_nothing(
    nodes: Nodes, server: ChatServer, at: Callable[..., Desk], tmp_path: Path
) -> None:
    server.answer = for_the_scripted
    here, there = at("here"), at("there")
    log = tmp_path / "judged.txt"
    doomed = nodes.add()
    notices: list[str] = []

    def hear(event: Event) -> None:
        if event.type is EventType.NOTICE:
            notices.append(str(event.m["message"]))
        if event.type is EventType.PROGRESS and (event.step or 0) >= COUNT // 3:
            nodes.kill(doomed)

    settings = {"count": COUNT, "verify": True, "verifier": "scripted", "near_threshold": 1.0}
    alone = here.generate(**settings)
    slow = {"verifier_options": {"pause_s": 0.2, "log": str(log)}, "executor": "ray", "ray_address": nodes.address}
    spread = generate(there.config(**settings, **slow), (hear,))
    assert there.output.read_bytes() == here.output.read_bytes()
    assert told(spread) == told(alone)
    assert sum("was lost" in notice and "judged elsewhere" in notice for notice in notices) == 1
    assert len(server.asked) == 2 * COUNT
    judged = [line for line in log.read_text().splitlines() if line.startswith(("right ", "wrong "))]
    assert len(set(judged)) == COUNT <= len(judged) < COUNT + 20  # what the dead node held was judged again
