"""Judges programs while something that judging needs is taken away; run by test_rug.py in a mount namespace of its own.

    python rugs.py RUG FOLDER

prints one JSON object: the rewards before, while and after, each with what is right. A number's program is right when
the number is even.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil

from halo_forge.core.plugins import verifier_config
from halo_forge.core.protocols import Submission, Verifier
from halo_forge.core.types import Message, Prompt, Reference, Verdict
from halo_forge.sandbox import open_sandbox

WORKERS = 2
LANGUAGES = {
    "python": (("assert add(1, 2) == 3",), "```python\ndef add(a, b): return a {} b  # {}\n```"),
    "gcc": (
        ("assert(add(1, 2) == 3);",),
        "```cpp\n#include <cstddef>\nint add(int a, int b) {{ return a {} b; }}  // {}\n```",
    ),
}


def submissions(name: str, numbers: Iterable[int]) -> list[Submission]:
    """Return distinct programs, those of even numbers right."""
    asserts, text = LANGUAGES[name]
    prompt = Prompt(
        id="add",
        messages=(Message(role="user", content="add"),),
        reference=Reference(asserts=asserts, entry_point="add"),
    )
    return [Submission(prompt, text.format("-+"[number % 2 == 0], number)) for number in numbers]


def judged(verifier: Verifier, numbers: range) -> list[tuple[bool, Verdict]]:
    """Return for each program whether it is right, and its verdict."""
    verdicts = verifier.verify(submissions(verifier.name, numbers))
    return [(number % 2 == 0, verdict) for number, verdict in zip(numbers, verdicts, strict=True)]


def run_to_end(command: list[str]) -> None:
    subprocess.run(command, check=True)


@contextmanager
def hidden(*places: Path) -> Iterator[None]:
    """Put nothing over files and folders; sandboxes that are open already do not notice."""
    targets = {place.resolve() for place in places if place.exists()}
    for target in targets:
        source = ["-t", "tmpfs", "none"] if target.is_dir() else ["--bind", "/dev/null"]
        run_to_end(["mount", *source, str(target)])
    yield
    for target in targets:
        run_to_end(["umount", str(target)])


@contextmanager
def ended(inner: AbstractContextManager[None]) -> Iterator[None]:
    """End the launchers on both ways through another context, so that new ones have to be started behind each."""
    with inner:
        end_launchers()
        yield
    end_launchers()


@contextmanager
def met(inner: AbstractContextManager[None]) -> Iterator[None]:
    """End the launchers on the way into another context alone: those that begin in it are still there behind it."""
    with inner:
        end_launchers()
        yield


def end_launchers() -> None:
    """Kill all processes below this one."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Fill the folder's file system."""
    with (folder / "filling").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            pass
    yield
    (folder / "filling").unlink()


@contextmanager
def lowered(kind: int, limit: Callable[[], int]) -> Iterator[None]:
    """Lower a limit of this process and of those it starts."""
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (min(limit(), hard) if hard != resource.RLIM_INFINITY else limit(), hard))
    yield
    resource.setrlimit(kind, (soft, hard))


def part_of_gcc(question: str, name: str) -> Path:
    """Return where the compiler has one of its parts."""
    command = ["g++", f"-print-{question}={name}"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return Path("/usr/bin", shown)


def descriptors() -> int:
    """Return the number of descriptors that are open."""
    return len(list(Path("/proc/self/fd").iterdir())) - 1


def rugs(folder: Path) -> dict[str, tuple[str, Callable[[], AbstractContextManager[None]]]]:
    """Return by name the verifier and what to take away."""
    proper = part_of_gcc("prog-name", "cc1plus")
    linkers = [Path("/usr/bin", name) for name in ("ld", "ld.bfd", "ld.gold", "ld.mold", "mold")]
    parts = {
        "the compiler": [Path("/usr/bin/g++")],
        "the compiler proper": [proper],
        "the assembler": [part_of_gcc("prog-name", "as")],
        "the linkers": linkers,
        "the linker's driver": [part_of_gcc("prog-name", "collect2")],
        "the compiler's folder": [proper.parent],
        "the library's headers": [Path("/usr/include/c++")],
        "the system's headers": [Path("/usr/include")],
        "the library": [part_of_gcc("file-name", "libstdc++.so")],
    }
    rugs: dict[str, tuple[str, Callable[[], AbstractContextManager[None]]]] = {
        name: ("gcc", partial(ended, hidden(*places))) for name, places in parts.items()
    }
    rugs["the system's headers, as launchers began"] = ("gcc", partial(met, hidden(Path("/usr/include"))))
    for verifier in LANGUAGES:
        rugs |= {
            f"bubblewrap, from {verifier}": (verifier, partial(ended, hidden(Path("/usr/bin/bwrap")))),
            f"the disk, from {verifier}": (verifier, partial(ended, full(folder))),
            f"processes, from {verifier}": (verifier, partial(ended, lowered(resource.RLIMIT_NPROC, lambda: 0))),
        }
        for spare in (0, 3, 6, 9, 14, 20):
            limit = partial(lambda spare: descriptors() + spare, spare)
            rugs[f"all descriptors but {spare}, from {verifier}"] = (
                verifier,
                partial(lowered, resource.RLIMIT_NOFILE, limit),
            )
    return rugs


def main() -> None:
    """Pull one rug."""
    rug, place = sys.argv[1:]
    folder = Path(place)
    run_to_end(["mount", "-t", "tmpfs", "-o", "size=400m", "none", place])
    os.environ |= {"TMPDIR": place, "XDG_CACHE_HOME": place}
    name, pull = rugs(folder)[rug]
    with open_sandbox() as sandbox, ThreadPoolExecutor(1) as pool:
        verifier = verifier_config(name, {}).build(sandbox, WORKERS)
        found = {"before": judged(verifier, range(2))}
        running = pool.submit(judged, verifier, range(100, 112))
        time.sleep(0.1)
        with pull():
            found["meanwhile"] = running.result()
            found["without"] = judged(verifier, range(200, 204))
        found["mended"] = judged(verifier, range(300, 308))
        found["after"] = judged(verifier, range(400, 402))
        verifier.close()
    print(
        json.dumps(
            {
                when: [[right, verdict.reward, verdict.fault] for right, verdict in pairs]
                for when, pairs in found.items()
            }
        )
    )


if __name__ == "__main__":
    main()
