"""Sketches, decisions and places of prompts in files that were asked for lately, and a search through rollouts."""

from __future__ import annotations

import json
import mmap
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple, TypeVar

from halo_forge.core.errors import DataError
from halo_forge.core.types import Prompt
from halo_forge.rollout.decision import Decision
from halo_forge.rollout.records import read_records
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import Sketch

KEPT_FILES = 4
ID_FIRST = re.compile(rb'{"id":"([^"\\]*)",')
TEXT_ENDS, VERDICT_BEGINS = b'"token_ids":[', b'"verdict":{'

T = TypeVar("T")
_Key = tuple[Path, int, int]


class Place(NamedTuple):
    """Where in a file a line stands, in bytes."""

    offset: int
    length: int


class Shelf:
    """Remembers the last few files, as long as they do not change."""

    def __init__(self) -> None:
        self._sketches: OrderedDict[_Key, list[Sketch]] = OrderedDict()
        self._decisions: OrderedDict[_Key, dict[tuple[str, int], Decision]] = OrderedDict()
        self._prompts: OrderedDict[_Key, dict[str, Place]] = OrderedDict()
        self._lock = Lock()

    def sketches(self, path: Path) -> list[Sketch]:
        """The sketches of a file of rollouts.

        Raises:
            DataError: the file cannot be read.
        """
        return self._get(self._sketches, path, lambda: RolloutFile(path).sketches(), [])

    def decisions(self, path: Path) -> dict[tuple[str, int], Decision]:
        """(prompt id, number) -> what selection decided; empty before it has."""
        return self._get(
            self._decisions, path, lambda: {(d.prompt_id, d.index): d for d in read_records(path, Decision)}, {}
        )

    def prompts(self, path: Path) -> dict[str, Place]:
        """Prompt id -> where its line stands; empty if there is no such file.

        Raises:
            DataError: the file cannot be read.
        """
        return self._get(self._prompts, path, lambda: _places(path), {})

    def _get(self, store: OrderedDict[_Key, T], path: Path, read: Callable[[], T], nothing: T) -> T:
        try:
            found = path.stat()
        except FileNotFoundError:
            return nothing
        if path.is_symlink() or not path.is_file():
            raise DataError(f"{path} is not an ordinary file")
        key = (path, found.st_size, found.st_mtime_ns)
        with self._lock:
            if key not in store:
                try:
                    store[key] = read()
                except ValueError as error:
                    raise DataError(f"{path} has a line that cannot be read: {str(error)[:300]}") from error
                for old in [other for other in store if other[0] == path and other != key]:
                    del store[old]
                while len(store) > KEPT_FILES:
                    store.popitem(last=False)
            store.move_to_end(key)
            return store[key]


SHELF = Shelf()


def read_prompts(shelf: Shelf, path: Path, ids: Collection[str]) -> dict[str, Prompt]:
    """Read those of a run's prompts that are asked for, as far as it stored them.

    Raises:
        DataError: the file cannot be read.
    """
    places = shelf.prompts(path) if ids else {}
    wanted = [places[name] for name in ids if name in places]
    if not wanted:
        return {}
    with path.open("rb") as file:
        lines = [(file.seek(place.offset), file.read(place.length))[1] for place in wanted]
    try:
        return {prompt.id: prompt for prompt in map(Prompt.model_validate_json, lines)}
    except ValueError as error:
        raise DataError(f"{path} has a prompt that cannot be read: {str(error)[:300]}") from error


def _places(path: Path) -> dict[str, Place]:
    places: dict[str, Place] = {}
    offset = 0
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):  # else it is being written
                places[_id_of(line)] = Place(offset, len(line))
            offset += len(line)
    return places


def _id_of(line: bytes) -> str:
    if head := ID_FIRST.match(line):
        return head[1].decode()
    prompt = json.loads(line)
    if not isinstance(prompt, dict):
        raise ValueError("a line is no prompt")
    return str(prompt.get("id"))


def search(path: Path, sketches: Sequence[Sketch], text: str) -> list[Sketch]:
    """Those whose completion, verdict or prompt id holds a text, large and small letters alike.

    The lines are looked at as they stand in the file; token ids and probabilities are passed over.
    """
    if not sketches:
        return []
    needle = json.dumps(text, ensure_ascii=False)[1:-1].lower()
    found = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for one in sketches:
            line = content[one.offset : one.offset + one.length]
            ends, begins = line.find(TEXT_ENDS), line.rfind(VERDICT_BEGINS)
            parts = (line,) if ends < 0 or begins < 0 else (line[:ends], line[begins:])
            # Letters beyond ASCII have other lengths in bytes, so parts are compared as text.
            if any(needle in part.decode(errors="replace").lower() for part in parts) and _says(line, text.lower()):
                found.append(one)
    return found


def _says(line: bytes, text: str) -> bool:
    """Whether a completion's id or text or its verdict's words hold a text, and not merely the names of fields."""
    rollout = json.loads(line)
    completion, verdict = rollout["completion"], rollout["verdict"]
    said = (completion["prompt_id"], completion["text"], verdict["detail"], verdict["fault"] or "", verdict["path"])
    return any(text in part.lower() for part in said)
