"""A file of rollouts and, beside it, an index of their sketches, so that neither figures nor a resume parse it again.

The file of rollouts is the truth. A line of the index holds the sketches of one chunk, a checksum of the chunk's bytes
and one of its own: an index that is torn, stale, foreign or missing is found out, and made again from the rollouts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from halo_forge.core.events import drop_torn_tail
from halo_forge.core.types import Rollout, Stage
from halo_forge.rollout.sketch import Sketch, sketch

FORMAT = 3
_STAGES = {str(stage): stage for stage in Stage}


class _Indexed(NamedTuple):
    """What the index says rightly.

    Args:
        chunks: the sketches of chunk 0, 1, …
        covered: bytes of the file of rollouts that they stand for.
        index_end: bytes of the index that hold them.
    """

    chunks: list[list[Sketch]]
    covered: int
    index_end: int


class RolloutFile:
    """Rollouts on disk, one a line, in chunks that are written whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = path.with_suffix(".index")
        self._end = 0

    def resume(self, chunk_sizes: Sequence[int]) -> list[list[Sketch]]:
        """Cut the file after its last whole chunk, bring the index up to date, and return the sketches by chunk.

        Args:
            chunk_sizes: rollouts in chunk 0, 1, ….
        """
        drop_torn_tail(self.path)
        chunks, self._end, index_end = self._indexed(chunk_sizes)
        if self.index.exists():
            os.truncate(self.index, index_end)
        if not self.path.exists():
            return chunks
        with self.path.open("rb") as file:
            file.seek(self._end)
            for size in chunk_sizes[len(chunks) :]:
                lines = [line for _, line in zip(range(size), file, strict=False)]
                if len(lines) < size:
                    break
                chunks.append(self._index(lines, [Rollout.model_validate_json(line) for line in lines]))
        os.truncate(self.path, self._end)
        return chunks

    def append(self, rollouts: Sequence[Rollout]) -> list[Sketch]:
        """Write a chunk and wait until it is on disk; `resume` comes first."""
        lines = [rollout.model_dump_json().encode() + b"\n" for rollout in rollouts]
        with self.path.open("ab") as file:
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
        return self._index(lines, rollouts)

    def sketches(self) -> list[Sketch]:
        """Return the sketches of every whole line and change nothing; none if there is no file."""
        chunks, covered, _ = self._indexed()
        found = [sketch for chunk in chunks for sketch in chunk]
        if self.path.exists():
            for _, members in groupby(self._lines(covered), key=lambda member: member[1].chunk):
                lengths, rollouts = zip(*members, strict=True)
                found += sketch(rollouts, lengths, covered)
                covered += sum(lengths)
        return found

    def read(self, chosen: Iterable[Sketch]) -> Iterator[Rollout]:
        """Yield the whole rollouts of some sketches of this file."""
        chosen = list(chosen)
        if not chosen:
            return
        with self.path.open("rb") as file:
            for one in chosen:
                file.seek(one.offset)
                yield Rollout.model_validate_json(file.read(one.length))

    def _lines(self, offset: int) -> Iterator[tuple[int, Rollout]]:
        with self.path.open("rb") as lines:
            lines.seek(offset)
            for line in lines:
                if line.endswith(b"\n"):
                    yield len(line), Rollout.model_validate_json(line)

    def _index(self, lines: Sequence[bytes], rollouts: Sequence[Rollout]) -> list[Sketch]:
        """Sketch a chunk that stands at the end of what is indexed, and add it to the index."""
        lengths = [len(line) for line in lines]
        sketches = sketch(rollouts, lengths, self._end)
        body = json.dumps(
            {"format": FORMAT, "crc": crc32(b"".join(lines)), "rows": [one[:-2] for one in sketches]},
            separators=(",", ":"),
        ).encode()
        with self.index.open("ab") as file:
            file.write(b"%08x %b\n" % (crc32(body), body))
        self._end += sum(lengths)
        return sketches

    def _indexed(self, chunk_sizes: Sequence[int] | None = None) -> _Indexed:
        """Read the index as far as it fits the rollouts, and the chunks their sizes where those are given."""
        chunks: list[list[Sketch]] = []
        covered = index_end = 0
        if not (self.path.exists() and self.index.exists()):
            return _Indexed(chunks, covered, index_end)
        with self.index.open("rb") as entries, self.path.open("rb") as rollouts:
            for entry in entries:
                body = entry[9:-1]
                if entry[:9] != b"%08x " % crc32(body):
                    break
                content = json.loads(body)
                if content.get("format") != FORMAT or (
                    chunk_sizes is not None and chunk_sizes[len(chunks) : len(chunks) + 1] != [len(content["rows"])]
                ):
                    break
                length = sum(row[-1] for row in content["rows"])
                if crc32(rollouts.read(length)) != content["crc"]:
                    break
                chunks.append(list(_sketches(content["rows"], covered, len(chunks))))
                covered += length
                index_end += len(entry)
        return _Indexed(chunks, covered, index_end)


def _sketches(rows: Iterable[list[Any]], offset: int, chunk: int) -> Iterator[Sketch]:
    """Make sketches of an index's rows, whose checksum has vouched for them."""
    prompt_id = None
    for row in rows:
        if row[0] != prompt_id:  # one string for all completions of a prompt
            prompt_id = row[0]
        row[0], row[5] = prompt_id, _STAGES[row[5]]
        row[13], row[14] = tuple(map(tuple, row[13])), tuple(row[14])
        yield Sketch._make([*row, offset, chunk])
        offset += row[15]
