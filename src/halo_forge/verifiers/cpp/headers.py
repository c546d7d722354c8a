"""Headers precompiled to fit the programs that come: parsing standard headers is most of the cost of a compilation.

A header is made when the programs seen would have spent more on parsing than making it costs, and is used for every
program whose own leading block asks for all of it. Verdicts and messages are those of the plain compiler; only time
differs, so nothing of this shows in a verifier's version. What goes wrong here is logged, and programs are compiled
plainly.
"""

from __future__ import annotations

import hashlib
import logging
import shlex
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.folders import cache_folder
from halo_forge.core.protocols import Job, Limits, Outcome, Sandbox
from halo_forge.verifiers.cpp.driver import Language
from halo_forge.verifiers.cpp.header_files import HeaderFiles
from halo_forge.verifiers.cpp.header_store import Header, HeaderStore, write_atomically
from halo_forge.verifiers.cpp.toolchains import Toolchain

logger = logging.getLogger(__name__)

MOUNT = "/headers"
MAKING_COSTS = 1.5
PLUGIN_SOURCE = "gcc_instantiate.cc"
LIMITS = Limits(
    cpu_s=120, wall_s=300, memory_mb=6144, processes=16, disk_mb=1536, report_bytes=256 << 20, output_bytes=16 << 20
)
LIST_FILES = 'for name in "$@"; do echo "== $name"; echo "#include <$name>" | {compile} -M -MT x -; done; true'
PACKED = '"$@" && exec gzip -1 -c /work/made.out >&3'


class Invocation(NamedTuple):
    """How a compiler is called.

    Args:
        program: its path.
        language: the language it is told.
        options: every option that matters to what it makes.
        environment: its environment variables.
        mounts: folders it needs.
        version: its version in words.
    """

    program: str
    language: Language
    options: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: Mapping[str, Path]
    version: str


class Headers:
    """The precompiled headers of one compiler.

    Args:
        toolchain: its family.
        invocation: how it is called.
        sandbox: where headers are made.
        root: folder of all headers, for all compilers.
        limit_bytes: what they may take on disk.

    Raises:
        EnvironmentFault: the folder cannot be used.
    """

    def __init__(
        self, toolchain: Toolchain, invocation: Invocation, sandbox: Sandbox, root: Path, limit_bytes: int
    ) -> None:
        self._toolchain = toolchain
        self._call = invocation
        self._sandbox = sandbox
        identity = repr((toolchain, invocation.program, invocation.language, invocation.options, invocation.version))
        name = f"{toolchain.name}-{hashlib.sha256(identity.encode()).hexdigest()[:24]}"
        self._store = HeaderStore(root, name, toolchain.header_suffix, limit_bytes)
        self._files = HeaderFiles(self._store.folder)
        self._lock = threading.Lock()
        self._known = self._store.headers()
        self._uses: Counter[frozenset[str]] = Counter()
        self._failed: set[str] = set()
        self._chosen: dict[tuple[str, ...], Header | None] = {}

    @property
    def mounts(self) -> Mapping[str, Path]:
        """What a compilation has to see in order to use a header."""
        return {MOUNT: self._store.root}

    def options(self, header: Header) -> tuple[str, ...]:
        """Return the options that put a header before a program."""
        suffix = self._toolchain.header_suffix if self._toolchain.names_precompiled else ""
        return (self._toolchain.include_option, f"{MOUNT}/{self._store.folder.name}/{header.key}/block.h{suffix}")

    def choose(self, block: tuple[str, ...]) -> Header | None:
        """Return the header that saves most to a program that starts with these includes, if any does."""
        if not block:
            return None
        with self._lock:
            if block not in self._chosen:
                names = self._files.existing(block)
                best = self._best(names, self._known.values()) if len(names) == len(block) else None
                self._chosen[block] = best
                if best:
                    self._store.touch(best.key)
            chosen = self._chosen[block]
            return chosen if chosen and self._store.path(chosen.key).exists() else None

    def forget(self, header: Header) -> None:
        """Take a header out of use: one that is gone may be made again, one that is there did not serve."""
        with self._lock:
            self._known.pop(header.key, None)
            if header.key in self._store.headers():
                self._failed.add(header.key)
            self._chosen.clear()

    def wanted(self, blocks: Iterable[tuple[str, ...]]) -> list[Callable[[], None]]:
        """Return what is to be done so that these programs, and more like them, are compiled faster.

        Args:
            blocks: the leading block of each program to come.
        """
        counted = Counter(frozenset(block) for block in blocks if block)
        if not counted:
            return []
        try:
            self._learn_files(frozenset().union(*counted))
        except EnvironmentFault as error:
            logger.warning("programs are compiled without precompiled headers: %s", error)
            return []
        with self._lock:
            asked = set()
            for names, uses in counted.items():
                if len(self._files.existing(names)) == len(names):
                    heavy = self._files.heavy(names)
                    self._uses[heavy] += uses
                    asked.add(heavy)
            planned = self._planned(asked)
            if planned:
                self._refresh()
                planned = self._planned(asked)
        return [partial(self._make, header) for header in planned]

    def _refresh(self) -> None:
        """Take note of what other processes have made."""
        self._known = {key: header for key, header in self._store.headers().items() if key not in self._failed}
        self._chosen.clear()

    def _planned(self, asked: Iterable[frozenset[str]]) -> list[Header]:
        """Return the headers to make: those that would have saved more than making them costs."""
        planned: list[Header] = []
        for names in sorted(asked, key=self._files.size_bytes):
            whole = self._files.size_bytes(names)
            best = self._best(names, [*self._known.values(), *planned])
            saved = whole - (self._files.size_bytes(best.names) if best else 0)
            header = Header(self._key(names), names)
            if self._uses[names] * saved > MAKING_COSTS * whole and header.key not in self._failed:
                planned.append(header)
        return planned

    def _best(self, names: frozenset[str], headers: Iterable[Header]) -> Header | None:
        """Return the header that brings most of what is included anyway, and nothing else."""
        included = self._files.implied(names)
        fitting = (header for header in headers if header.names <= included and self._current(header))
        return max(fitting, key=lambda header: (self._files.size_bytes(header.names), header.key), default=None)

    def _current(self, header: Header) -> bool:
        known = self._files.existing(header.names) == header.names
        return known and header.key == self._key(header.names)

    def _key(self, names: frozenset[str]) -> str:
        return hashlib.sha256(f"{sorted(names)} {self._files.state(names)}".encode()).hexdigest()[:24]

    def _learn_files(self, names: frozenset[str]) -> None:
        """Ask the compiler which files the headers bring in.

        Raises:
            EnvironmentFault: the sandbox failed.
        """
        with self._lock:
            unknown = self._files.unknown(sorted(names))
        if not unknown:
            return
        words = shlex.join((self._call.program, *self._call.options, "-x", self._call.language))
        outcome = self._run(("/bin/sh", "-c", LIST_FILES.format(compile=words), "sh", *unknown))
        if outcome.exit_status != 0:
            raise EnvironmentFault(f"the compiler does not list its headers: exit status {outcome.exit_status}")
        sections = outcome.stdout.decode(errors="replace").split("== ")[1:]
        listed = {lines.split("\n", 1)[0]: lines.split("\n", 1)[1] for lines in sections}
        with self._lock:
            for name in unknown:
                paths = listed.get(name, "").replace("\\\n", " ").split()
                self._files.learn(name, [path for path in paths if path.startswith("/")])
            self._chosen.clear()

    def _make(self, header: Header) -> None:
        """Make a header, unless another process is at it; log what goes wrong."""
        try:
            with self._store.claim(header.key) as ours:
                if not ours:
                    return
                self._store.add(header, self._compiled(header))
                self._require_serving(header)
        except (OSError, zlib.error, EnvironmentFault) as error:
            logger.warning("no header was precompiled for %s: %s", ", ".join(sorted(header.names)), error)
            with self._lock:
                self._failed.add(header.key)
            return
        with self._lock:
            self._known[header.key] = header
            self._chosen.clear()

    def _compiled(self, header: Header) -> bytes:
        """Return what the compiler makes of a header, packed by `gzip`.

        Raises:
            EnvironmentFault: it makes nothing of it, or nothing that it then uses.
            OSError: the disk is full.
        """
        text = "".join(f"#include <{name}>\n" for name in sorted(header.names))
        self._store.lay_out(header.key, text)
        inside = f"{MOUNT}/{self._store.folder.name}/{header.key}/block.h"
        language = ("-x", f"{self._call.language}-header")
        words = (self._call.program, *self._call.options, *self._toolchain.header_options, *language)
        plugin = self._plugin()
        if plugin:
            instantiating = (*words, f"-fplugin={MOUNT}/{self._store.folder.name}/{plugin.name}", "/job/block.h")
            instantiated = text + "#pragma halo_forge instantiate\n"
            outcome = self._run(
                ("/bin/sh", "-c", PACKED, "sh", *instantiating, "-o", "/work/made.out"), {"block.h": instantiated}
            )
            if outcome.exit_status == 0:
                return outcome.report
        outcome = self._run(("/bin/sh", "-c", PACKED, "sh", *words, inside, "-o", "/work/made.out"))
        if outcome.exit_status != 0:
            said = outcome.stderr.decode(errors="replace").strip().splitlines()
            raise EnvironmentFault(said[0] if said else f"exit status {outcome.exit_status}")
        return outcome.report

    def _require_serving(self, header: Header) -> None:
        """Remove a header again that the compiler refuses.

        Raises:
            EnvironmentFault: it does.
        """
        file = f"empty.{'cpp' if self._call.language == 'c++' else 'c'}"
        words = (*self._call.options, "-Winvalid-pch", *self.options(header), "-fsyntax-only", f"/job/{file}")
        outcome = self._run((self._call.program, *words), {file: "\n"})
        if outcome.exit_status != 0 or b"invalid-pch" in outcome.stderr:
            self._store.remove(header.key)
            raise EnvironmentFault(f"the compiler refuses it: {outcome.stderr.decode(errors='replace').strip()[:200]}")

    def _plugin(self) -> Path | None:
        """Return the plugin that instantiates templates; None where GCC's own headers for plugins are not installed."""
        if not self._toolchain.takes_plugin or self._call.language != "c++":
            return None
        path = self._store.folder / "instantiate.so"
        with self._lock:
            if not path.exists() and path.name not in self._failed:
                source = files("halo_forge.verifiers.cpp").joinpath(PLUGIN_SOURCE).read_text()
                where = f'-I"$({shlex.quote(self._call.program)} -print-file-name=plugin)/include"'
                script = f"g++ -O1 -fno-rtti -shared -fPIC {where} /job/plugin.cc -o /work/made && cat /work/made >&3"
                outcome = self._run(("/bin/sh", "-c", script), {"plugin.cc": source})
                if outcome.exit_status == 0:
                    write_atomically(path, outcome.report)
                else:
                    self._failed.add(path.name)
            return path if path.exists() else None

    def _run(self, argv: tuple[str, ...], texts: Mapping[str, str] = {}) -> Outcome:
        """Run a compiler on text of ours.

        Raises:
            EnvironmentFault: the sandbox failed.
        """
        contents = {name: text.encode() for name, text in texts.items()}
        mounts = {**self._call.mounts, **self.mounts}
        job = Job(argv, LIMITS, files=contents, mounts=mounts, env=self._call.environment, report=True)
        return self._sandbox.run(job)


def header_root() -> Path:
    """Return the folder of precompiled headers of this user."""
    return cache_folder() / "headers"
