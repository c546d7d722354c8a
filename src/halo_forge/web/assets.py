"""Scripts and styles, at an address that changes with them: a browser keeps them and never mixes versions."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).with_name("static")
FOR_GOOD = "public, max-age=31536000, immutable"


class Lasting(StaticFiles):
    """Files whose address says which version of them it means."""

    def file_response(self, *args: object, **named: object) -> Response:
        """Give a file, to be kept."""
        response = super().file_response(*args, **named)  # type: ignore[arg-type]
        response.headers["cache-control"] = FOR_GOOD
        return response


@cache
def address() -> str:
    """The address of the folder of scripts and styles as they are now; modules name each other relative to it."""
    digest = sha256()
    for path in sorted(path for path in FOLDER.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(FOLDER)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return f"/static/{digest.hexdigest()[:16]}"


def mounts() -> list[Mount]:
    """The routes of the files: at their lasting address, and where a person would look for them."""
    return [Mount(address(), Lasting(directory=FOLDER)), Mount("/static", StaticFiles(directory=FOLDER))]
