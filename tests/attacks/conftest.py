from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from halo_forge.core.plugins import verifier_config
from halo_forge.core.protocols import Sandbox, Submission, Verifier
from halo_forge.core.types import Message, Prompt, Reference, Verdict
from halo_forge.sandbox import open_sandbox

WORKERS = 2
CANARY = b"what only the host may change\n"
MOST_GROWTH_MB = 150
SWEEP_PATIENCE_S = 30.0
COMPILED: dict[str, object] = {"timeout_s": 0.5, "memory_mb": 256, "compile_timeout_s": 3}

Ask = tuple[dict[str, object], str]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox() as opened:
        yield opened


@pytest.fixture(scope="session")
def python(sandbox: Sandbox) -> Iterator[Verifier]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("halo_forge.verifiers.python.config.JUDGE_EXTRA_S", 1.0)
        verifier = verifier_config("python", {"timeout_s": 0.5, "memory_mb": 256}).build(sandbox, WORKERS)
    yield verifier
    verifier.close()


@pytest.fixture(scope="session")
def gcc(sandbox: Sandbox) -> Iterator[Verifier]:
    verifier = verifier_config("gcc", COMPILED).build(sandbox, WORKERS)
    yield verifier
    verifier.close()


@pytest.fixture(scope="session")
def rust(sandbox: Sandbox) -> Iterator[Verifier]:
    verifier = verifier_config("rust", COMPILED).build(sandbox, WORKERS)
    yield verifier
    verifier.close()


@pytest.fixture(scope="session")
def go(sandbox: Sandbox) -> Iterator[Verifier]:
    verifier = verifier_config("go", COMPILED).build(sandbox, WORKERS)
    yield verifier
    verifier.close()


@pytest.fixture(scope="session")
def judged() -> Callable[[Verifier, Sequence[Ask]], list[Verdict]]:
    """Judge one batch of (reference, code) pairs."""
    return judge


def judge(verifier: Verifier, asks: Sequence[Ask], fence: str = "") -> list[Verdict]:
    submissions = []
    for reference, code in asks:
        message = Message(role="user", content="do")
        prompt = Prompt(id="p", messages=(message,), reference=Reference.model_validate(reference))
        submissions.append(Submission(prompt, f"```{fence or verifier.name.replace('gcc', 'cpp')}\n{code}\n```\n"))
    return verifier.verify(submissions)


class Host:
    """What a program under test must leave alone.

    Args:
        folder: an empty folder for things to leave alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "canary").write_bytes(CANARY)
        self.bystander = subprocess.Popen(["sleep", "3600"], cwd=folder)
        self.priority = os.getpriority(os.PRIO_PROCESS, 0)
        self.reset_peak()

    def reset_peak(self) -> None:
        """Let the kernel count this process's peak memory anew."""
        self.before_mb = memory_mb("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")

    def assert_unharmed(self) -> None:
        """Fail if something was changed, is left running, or has cost the harness much memory."""
        assert (self.folder / "canary").read_bytes() == CANARY
        assert [path.name for path in self.folder.iterdir()] == ["canary"]
        assert self.bystander.poll() is None, "a process of the host was ended"
        assert os.getpriority(os.PRIO_PROCESS, 0) == self.priority
        assert memory_mb("VmHWM") - self.before_mb < MOST_GROWTH_MB
        until = time.monotonic() + SWEEP_PATIENCE_S
        while left := leftovers():
            assert time.monotonic() < until, f"programs outlived their verdicts: {left}"
            time.sleep(0.05)

    def close(self) -> None:
        self.bystander.kill()
        self.bystander.wait()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    folder = tmp_path / "host"
    folder.mkdir()
    watched = Host(folder)
    yield watched
    watched.close()


def memory_mb(field: str) -> float:
    """Return a field of this process's status, MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def leftovers() -> list[str]:
    """Return the processes in our launchers' namespaces other than the launchers, wherever their parents went.

    A namespace ends with its first process, which is the launcher; so whatever is left of a job shares one with a
    launcher that is our descendant. A launcher may have one copy of itself that waits for the next job.
    """
    launchers = {place for child in descendants() if (place := namespace(child)) and place[1] == 1}
    spaces = {space for space, _ in launchers}
    found: dict[int, list[tuple[int, psutil.Process]]] = {}
    for process in psutil.process_iter():
        place = namespace(process.pid)
        if place and place[0] in spaces and place[1] != 1:
            found.setdefault(place[0], []).append((place[1], process))
    left = []
    for inside in found.values():
        numbered = sorted(inside, key=lambda pair: pair[0])
        if stands_by(numbered[-1][1].pid):
            numbered.pop()
        left += [str(process) for _, process in numbered]
    return left


def stands_by(pid: int) -> bool:
    """Tell whether a process may be the copy of a launcher that waits for the next job: the newest, with its link."""
    try:
        return str(Path(f"/proc/{pid}/fd/4").readlink()).startswith("socket:")
    except OSError:
        return False


def descendants() -> list[int]:
    return [child.pid for child in psutil.Process().children(recursive=True)]


def namespace(pid: int) -> tuple[int, int] | None:
    """Return the process namespace of a process, and its number in there; None if it is gone or is a zombie."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        if "\nState:\tZ" in status:
            return None
        inner = next(line for line in status.splitlines() if line.startswith("NSpid:"))
        return Path(f"/proc/{pid}/ns/pid").stat().st_ino, int(inner.split()[-1])
    except (OSError, StopIteration):
        return None
