"""Killed at any point, the same command goes on: no row is lost or doubled, and no stored answer is paid again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from zlib import crc32

import pytest
from chat_server import ChatServer, right_answer
from writing_desk import Desk

from halo_forge.datagen.ledger import open_ledger

# What comes after the n-th sync never happens.
DIE_AT_SYNC = """
import os, signal, sys
real, left = os.fsync, [int(sys.argv.pop(1))]
def fsync(descriptor):
    left[0] -= 1
    if sys.argv[1] == "before" and left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)
    if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync
del sys.argv[1]
from halo_forge.cli.app import main
main()
"""


def by_prompt(number: int, prompt: str) -> str:
    """Answer as the prompt alone says, in whatever order prompts come."""
    return right_answer(crc32(prompt.encode()) % 100_000, prompt)


def arguments(desk: Desk, count: int, output: Path) -> list[str]:
    words = ["data", "generate", "--topic", desk.topic, "--base-url", desk.url, "--model", "writer"]
    words += ["--count", count, "--concurrency", 4, "--max-new-tokens", 500, "--output", output]
    return [str(word) for word in words]


def start(desk: Desk, count: int, *before: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, *(before or ("-m", "halo_forge")), *arguments(desk, count, desk.output)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def end(process: subprocess.Popen[bytes]) -> int:
    _, said = process.communicate(timeout=120)
    assert process.returncode in (0, -signal.SIGKILL, 130), said.decode()
    return process.returncode


def require_right(desk: Desk, server: ChatServer, count: int) -> None:
    """Compare with a run that nobody killed, and with what the server has counted."""
    got = desk.output.read_bytes()
    answers = Counter(entry["item"] for entry in desk.entries("answer"))
    assert answers == Counter(range(count))
    asked = len(desk.entries("asked"))
    assert len(server.asked) <= asked
    # What was paid is stored, or is counted as maybe paid.
    summary = desk.generate(count=count)
    assert sum(server.paid.values()) <= count + summary.spending.maybe_paid
    assert summary.spending.requests == asked
    assert desk.output.read_bytes() == got
    undisturbed = Desk(desk.folder / "undisturbed", desk.url, desk.topic)
    undisturbed.generate(count=count)
    assert undisturbed.output.read_bytes() == got


def kill_often(desk: Desk, server: ChatServer, kills: int, seed: int) -> None:
    server.answer, server.wait_s = by_prompt, 0.02
    random = Random(seed)
    count = 24 * kills
    for _ in range(kills):
        goal = len(server.asked) + random.randint(1, 16)
        process = start(desk, count)
        while len(server.asked) < goal and process.poll() is None:
            time.sleep(0.002)
        time.sleep(random.random() * 0.04)
        process.kill()
        end(process)
    stored = {entry["item"] for entry in desk.entries("answer")}
    time.sleep(1)  # what the killed process had under way is answered, and paid for, into nowhere
    paid = Counter(server.paid)
    assert end(start(desk, count)) == 0
    for prompt, times in (server.paid - paid).items():
        assert times == 1, prompt
    assert len(stored) < count
    require_right(desk, server, count)


def test_killed_at_random_points(desk: Desk, server: ChatServer) -> None:
    kill_often(desk, server, kills=3, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_killed_at_many_random_points(desk: Desk, server: ChatServer, seed: int) -> None:
    server.flaky, server.moods = 0.2, ("429", "500", "503", "drop")  # which cost nothing
    kill_often(desk, server, kills=8, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_sync(desk: Desk, server: ChatServer, when: str) -> None:
    server.answer = by_prompt
    for number in range(18):
        end(start(desk, 4, "-c", DIE_AT_SYNC, str(number), when))
    assert end(start(desk, 4)) == 0
    require_right(desk, server, 4)


def test_a_stop_stores_what_is_under_way(desk: Desk, server: ChatServer) -> None:
    server.answer, server.wait_s = by_prompt, 0.5
    process = start(desk, 40)
    while len(server.asked) < 6:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert end(process) == 130
    assert len(desk.entries("asked")) == len(desk.entries("answer")) == sum(server.paid.values())
    server.wait_s = 0
    assert end(start(desk, 40)) == 0
    assert max(server.paid.values()) == 1
    require_right(desk, server, 40)


def test_somebody_else_is_writing(desk: Desk, server: ChatServer) -> None:
    with open_ledger(desk.output, {"held": "here"}):
        process = start(desk, 4)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 75
    assert b"being written by another process" in said
    assert not server.asked
