"""A small server that speaks as much of the Hugging Face Hub's protocol as `datasets` and `transformers` use.

It serves `<root>/datasets/<owner>/<name>/…` and `<root>/models/<owner>/<name>/…`. Clients reach it with HF_ENDPOINT set
before they import anything, together with a private HF_HOME and HF_HUB_DISABLE_XET=1 (`HubServer.environment`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

API = re.compile(r"/api/(?P<kind>datasets|models)/(?P<repo>[^/]+/[^/]+)(?:/(?P<verb>revision|tree)/(?P<rest>.+))?")
FILE = re.compile(r"/(?:(?P<kind>datasets)/)?(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class HubServer:
    """A running server.

    Args:
        root: the folder that is served; repositories may be added and changed at any time.
        url: value for HF_ENDPOINT.
        gated: repositories whose files need `token`.
        token: what a client must send for them.
        branches: revisions besides `main` that name the newest commit.
        requests: "METHOD path" of all that was asked for.
    """

    root: Path
    url: str = ""
    gated: set[str] = field(default_factory=set)
    token: str = "hf_made_up"
    branches: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)

    def environment(self, home: Path) -> dict[str, str]:
        """The environment of a client process that keeps its cache in `home` and knows no other Hub."""
        ours = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}
        return {**{key: value for key, value in os.environ.items() if not key.startswith("HF_")}, **ours}

    def folder(self, kind: str, repo: str) -> Path:
        """Where the files of a repository lie; `kind` is `datasets` or `models`."""
        return self.root / kind / repo

    def revision(self, folder: Path) -> str:
        """The commit: a hash of all files, so that a changed file is another commit."""
        digest = sha1()
        for path in _files(folder):
            digest.update(f"{path.relative_to(folder)} {sha1(path.read_bytes()).hexdigest()}\n".encode())
        return digest.hexdigest()


@contextmanager
def serve_hub(root: Path) -> Iterator[HubServer]:
    """Serve `root` on a free local port."""
    hub = HubServer(root)

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: HubServer

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        self.served.requests.append(f"{self.command} {self.path}")

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        match = API.fullmatch(path) or FILE.fullmatch(path)
        if match is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "EntryNotFound")
        repo = unquote(match["repo"])
        folder = self.served.folder(match["kind"] or "models", repo)
        if not folder.is_dir():
            return self._refuse(HTTPStatus.UNAUTHORIZED, "RepoNotFound")
        if match.re is API:
            return self._describe(folder, repo, match["verb"], unquote(match["rest"] or ""))
        sent = self.headers.get("Authorization")
        if repo in self.served.gated and sent != f"Bearer {self.served.token}":
            return self._refuse(HTTPStatus.FORBIDDEN if sent else HTTPStatus.UNAUTHORIZED, "GatedRepo")
        return self._send_file(folder, unquote(match["revision"]), unquote(match["path"]))

    def _describe(self, folder: Path, repo: str, verb: str | None, rest: str) -> None:
        sha = self.served.revision(folder)
        known = {"main", sha, *self.served.branches}
        wanted = next((name for name in known if rest == name or rest.startswith(f"{name}/")), "")
        below = rest.removeprefix(wanted).removeprefix("/")
        if verb is not None and not wanted:
            return self._refuse(HTTPStatus.NOT_FOUND, "RevisionNotFound")
        if verb == "tree":
            if not (folder / below).is_dir():
                return self._refuse(HTTPStatus.NOT_FOUND, "EntryNotFound")
            return self._send_json(_tree(folder, folder / below, recursive="recursive=true" in self.path.lower()))
        siblings = [{"rfilename": str(path.relative_to(folder))} for path in _files(folder)]
        gated = "auto" if repo in self.served.gated else False
        return self._send_json({"id": repo, "sha": sha, "private": False, "gated": gated, "siblings": siblings})

    def _send_file(self, folder: Path, revision: str, name: str) -> None:
        sha = self.served.revision(folder)
        path = folder / name
        if revision not in {"main", sha, *self.served.branches}:
            return self._refuse(HTTPStatus.NOT_FOUND, "RevisionNotFound")
        if not path.is_file():
            return self._refuse(HTTPStatus.NOT_FOUND, "EntryNotFound", {"X-Repo-Commit": sha})
        content = path.read_bytes()
        headers = {"X-Repo-Commit": sha, "ETag": f'"{sha1(content).hexdigest()}"', "Accept-Ranges": "bytes"}
        wanted = RANGE.fullmatch(self.headers.get("Range", ""))
        if wanted is None:
            return self._send(HTTPStatus.OK, content, headers)
        first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return self._send(HTTPStatus.PARTIAL_CONTENT, content[first : last + 1], headers)

    def _send_json(self, value: object) -> None:
        self._send(HTTPStatus.OK, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: HTTPStatus, code: str, headers: dict[str, str] | None = None) -> None:
        self._send(status, b"", {**(headers or {}), "X-Error-Code": code, "X-Error-Message": code})

    def _send(self, status: HTTPStatus, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _tree(root: Path, folder: Path, recursive: bool) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = []
    for path in sorted(folder.rglob("*") if recursive else folder.iterdir()):
        name = str(path.relative_to(root))
        if path.is_dir():
            entries.append({"type": "directory", "path": name, "oid": sha1(name.encode()).hexdigest(), "size": 0})
        else:
            content = path.read_bytes()
            entries.append({"type": "file", "path": name, "oid": sha1(content).hexdigest(), "size": len(content)})
    return entries
