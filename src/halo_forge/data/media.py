"""Images and audio of rows, checked (`models.media`) and stored by the hash of their bytes in `FILE.media`."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from halo_forge.data.fetch import NotFetched, fetch_media
from halo_forge.data.jsonl import JsonObject
from halo_forge.models.media import MOST_BYTES, BadMedia, inspect_media

SUFFIX = ".media"
NAME = re.compile(rb"\b[0-9a-f]{64}\.[a-z0-9]+\b")


class MediaStore:
    """The media of one file of rows.

    Args:
        output: the file of rows; media go to the folder beside it.
        root: where files that rows name are looked for; such files stay where they are.
        urls: whether media that rows name by an address are fetched, and kept like those that come as bytes.
    """

    def __init__(self, output: Path, root: Path | None = None, *, urls: bool = False) -> None:
        self.folder = output.with_name(output.name + SUFFIX)
        self._root = None if root is None else root.resolve()
        self._urls = urls

    def store(self, kind: Literal["image", "audio"], value: Any) -> JsonObject:
        """Check one image or piece of audio and keep it.

        Args:
            value: its bytes, `{"bytes": …, "path": …}`, the name of a file below the root, or an address.

        Returns:
            `{"kind", "path", "sha256"}`, with a path relative to the folder of the rows, or absolute for files that
            stay where they are.

        Raises:
            BadMedia: it cannot be used.
            EnvironmentFault: the library that decodes it is missing.
        """
        held = value.get("bytes") if isinstance(value, dict) else value
        named = value.get("path") if isinstance(value, dict) else value
        if isinstance(held, bytes):
            ending, digest = inspect_media(kind, held), sha256(held).hexdigest()
            return {"kind": kind, "path": self._keep(held, f"{digest}.{ending}"), "sha256": digest}
        if not isinstance(named, str) or not named:
            raise BadMedia(f"without {kind}")
        if "://" in named:
            return self.store(kind, self._fetch(kind, named))
        path = self._find(kind, named)
        content = path.read_bytes()
        inspect_media(kind, content)
        return {"kind": kind, "path": str(path), "sha256": sha256(content).hexdigest()}

    def count(self) -> int:
        """Return how many files there are."""
        return sum(1 for _ in self.folder.iterdir()) if self.folder.is_dir() else 0

    def keep_only(self, rows: Path) -> None:
        """Remove the files that no line of `rows` names."""
        if not self.folder.is_dir():
            return
        with rows.open("rb") as lines:
            named = {name for line in lines for name in NAME.findall(line)}
        for path in self.folder.iterdir():
            if path.name.encode() not in named:
                path.unlink()

    def _keep(self, content: bytes, name: str) -> str:
        path = self.folder / name
        if not (path.exists() and path.stat().st_size == len(content)):
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(name + ".partial")
            partial.write_bytes(content)
            partial.replace(path)
        return f"{self.folder.name}/{name}"

    def _fetch(self, kind: str, address: str) -> bytes:
        if not self._urls:
            raise BadMedia(f"with an address instead of an {kind} (--media-urls fetches)")
        try:
            return fetch_media(kind, address, MOST_BYTES)
        except NotFetched as error:
            raise BadMedia(str(error)) from error

    def _find(self, kind: str, name: str) -> Path:
        if self._root is None:
            raise BadMedia(f"whose {kind} is a file that --media-root does not name")
        for path in (self._root / name, self._root / "clips" / name):
            found = path.resolve()
            if found.is_relative_to(self._root) and found.is_file():
                if found.stat().st_size > MOST_BYTES:
                    raise BadMedia(f"with an {kind} of more than {MOST_BYTES >> 20} MiB")
                return found
        raise BadMedia(f"whose {kind} file is not in --media-root")
