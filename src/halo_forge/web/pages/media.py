"""The images and the audio of a prompt. An address names a prompt and a place in it, never a file."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from halo_forge.core.errors import ConfigError
from halo_forge.report.pictures import LARGE, THUMBNAIL
from halo_forge.web.media import folders_of, part_of, picture, sound
from halo_forge.web.responses import INERT
from halo_forge.web.shelf import SHELF, read_prompts
from halo_forge.web.site import site_of

HEADERS = {"content-security-policy": INERT, "cache-control": "private, max-age=600"}


def show(request: Request) -> Response:
    """Give one image, small or large, or one piece of audio, of which a player may ask for a range."""
    folder = site_of(request).board.find(request.path_params["run_id"])
    given = request.query_params
    number = given.get("part", "0")
    if not (number.isascii() and number.isdecimal() and len(number) < 5):
        raise ConfigError(f"part={number[:20]} is no place in a prompt: give a number from 0 on")
    prompts = read_prompts(SHELF, folder / "prompts.jsonl", {given.get("prompt", "")})
    part, folders = part_of(prompts.values(), int(number)), folders_of(folder)
    if part.kind == "image":
        content = picture(part, folders, LARGE if given.get("large") == "1" else THUMBNAIL)
        return Response(content, media_type="image/jpeg", headers=HEADERS)
    path, kind = sound(part, folders)
    return FileResponse(path, media_type=kind, headers=HEADERS)


ROUTES = [Route("/runs/{run_id}/media", show)]
