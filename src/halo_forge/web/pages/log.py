"""The log of a run, in pieces: its end, what was added since, what stands before, and a search through all of it."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from halo_forge.core.errors import ConfigError
from halo_forge.report.wording import visible
from halo_forge.web.responses import existing
from halo_forge.web.site import site_of

FILES = {"console": "console.log", "process": "process.log"}
PIECE = 256 << 10
HITS = 200
LONGEST_LINE = 2_000


class Piece(NamedTuple):
    """Whole lines of a file.

    Args:
        begin: the place of the first byte; `end` is that behind the last.
        size: of the file.
    """

    text: str
    begin: int
    end: int
    size: int


def read_piece(path: Path | None, *, after: int | None = None, before: int | None = None) -> Piece:
    """Read the last lines of a file, those that follow `after`, or those before `before`; nothing of no file."""
    if path is None:
        return Piece("", 0, 0, 0)
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if after is not None and after <= size:
            begin, end = after, min(size, after + PIECE)
        else:
            end = size if before is None else min(before, size)
            begin = max(0, end - PIECE)
        file.seek(begin)
        block = file.read(end - begin)
    if after is None and begin > 0:
        cut = block.find(b"\n") + 1
        begin, block = begin + cut, block[cut:]
    if end == size or after is not None:
        whole = block.rfind(b"\n") + 1
        block = block[:whole] if whole or len(block) < PIECE else block
        end = begin + len(block)
    return Piece(_words(block), begin, end, size)


def piece(request: Request) -> Response:
    """Give a piece of the log: the last one, what follows `after`, or what stands before `before`."""
    after, before = (_place(request, name) for name in ("after", "before"))
    return JSONResponse(read_piece(_file(request), after=after, before=before)._asdict())


def find(request: Request) -> Response:
    """Give the lines that hold a text, large and small letters of ASCII alike; at most two hundred."""
    path, wanted = _file(request), request.query_params.get("q", "")[:500].encode().lower()
    if path is None or not wanted or path.stat().st_size == 0:
        return JSONResponse({"hits": [], "more": False})
    hits: list[dict[str, object]] = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = 0
        while end < len(content) and len(hits) <= HITS:
            block_end = min(len(content), end + (8 << 20))
            cut = content.find(b"\n", block_end - 1)
            block_end = len(content) if cut < 0 else cut + 1
            block = content[end:block_end].lower()
            place = block.find(wanted)
            while place >= 0 and len(hits) <= HITS:
                begins = block.rfind(b"\n", 0, place) + 1
                ends = block.find(b"\n", place)
                ends = len(block) if ends < 0 else ends
                line = content[end + begins : end + min(ends, begins + LONGEST_LINE)]
                hits.append({"at": end + begins, "line": _words(line)})
                place = block.find(wanted, ends)
            end = block_end
    return JSONResponse({"hits": hits[:HITS], "more": len(hits) > HITS})


def _file(request: Request) -> Path | None:
    name = request.query_params.get("file", "console")
    if name not in FILES:
        raise ConfigError(f"there is no log '{name[:80]}'; there are: {', '.join(FILES)}")
    return existing(site_of(request).board.find(request.path_params["run_id"]), FILES[name])


def _place(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise ConfigError(f"{name}={text[:40]} is no place in a file: give a number from 0 on")
    return int(text)


def _words(block: bytes) -> str:
    return visible(block.decode(errors="replace").replace("\r\n", "\n"))


ROUTES = [
    Route("/api/runs/{run_id}/log", piece),
    Route("/api/runs/{run_id}/log/search", find),
]
