"""Scripts and styles: kept by browsers, never of two versions, and those that are not ours as they were released."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from halo_forge.web import assets
from halo_forge.web.app import open_site
from halo_forge.web.settings import Settings

VENDOR = assets.FOLDER / "vendor"


def test_what_is_not_ours_is_as_its_readme_says() -> None:
    said = dict(re.findall(r"^\| `([^`]+)` .* ([0-9a-f]{64}) \|$", (VENDOR / "README.md").read_text(), re.M))
    files = {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".css")}
    assert said == {name: sha256((VENDOR / name).read_bytes()).hexdigest() for name in files}


def test_pages_name_files_that_are_kept_for_good(tmp_path: Path) -> None:
    with open_site(Settings(runs_root=tmp_path / "runs")) as app:
        client = TestClient(app, base_url="http://127.0.0.1:8899")
        found = re.findall(r'(?:src|href)="(/static/[^"]+)"', client.get("/").text)
        assert len(found) > 3
        for path in found:
            answer = client.get(path)
            assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        assert client.get("/static/0000000000000000/app.js").status_code == 404


def test_another_file_is_another_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.js").write_text("1")
    monkeypatch.setattr(assets, "FOLDER", tmp_path)
    before = assets.address.__wrapped__()
    (tmp_path / "app.js").write_text("2")
    assert assets.address.__wrapped__() != before == before.lower()
    (tmp_path / "app.js").write_text("1")
    assert assets.address.__wrapped__() == before
