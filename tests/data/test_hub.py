"""A dataset of the catalogue comes over HTTP from a Hub, as a user's process would fetch it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from halo_forge.core.errors import ConfigError
from halo_forge.data import load_catalogue_conversations

CLIENT = Path(__file__).parent / "hub_client.py"
CODEALPACA = "sahil2801/CodeAlpaca-20k"
SNAPSHOT = "import sys, huggingface_hub; print(huggingface_hub.snapshot_download(sys.argv[1]))"

Client = Callable[..., dict[str, Any]]


@pytest.fixture
def codealpaca(hub: Any) -> Path:
    """Put a repository with CodeAlpaca's columns on the Hub and return its folder."""
    folder: Path = hub.folder("datasets", CODEALPACA)
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\nRows made for a test.\n", encoding="utf-8")
    rows = [
        {"output": "" if n == 3 else f"print({n})", "instruction": f"Print {n}.", "input": "" if n % 2 else f"n = {n}"}
        for n in range(12)
    ]
    (folder / "code_alpaca_20k.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder


@pytest.fixture
def load(hub: Any, tmp_path: Path) -> Client:
    """Load in a process of its own, since the Hub's address is read at import."""

    def run(name: str = "codealpaca", max_samples: int = 100, **environment: str) -> dict[str, Any]:
        result = subprocess.run(
            [sys.executable, str(CLIENT), name, str(max_samples)],
            env={**hub.environment(tmp_path / "hf_home"), "XDG_CACHE_HOME": str(tmp_path / "cache"), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        found: dict[str, Any] = json.loads(result.stdout)
        assert "\n" not in found.get("text", "")
        return found

    return run


def test_rows_come_with_their_commit_and_are_cached(hub: Any, codealpaca: Path, load: Client) -> None:
    found = load()
    assert found["conversations"][:2] == [
        ["codealpaca-0", "Print 0.\n\nn = 0", "print(0)"],
        ["codealpaca-1", "Print 1.", "print(1)"],
    ]
    assert len(found["conversations"]) == 11
    assert found["dropped"] == {"without text of the assistant": 1}
    assert found["noted"] == {}
    assert found["revision"] == hub.revision(codealpaca)

    drawn = load(max_samples=4, HF_HUB_OFFLINE="1")
    assert len(drawn["conversations"]) == 4
    assert all(row in found["conversations"] for row in drawn["conversations"])
    assert drawn["revision"] == found["revision"]
    assert drawn["noted"] == {"a cached copy stands in, since the Hub did not give the dataset": 4}


def test_unknown_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'codealpaca'"):
        load_catalogue_conversations("code-alpaca")


def test_offline(load: Client) -> None:
    found = load(HF_HUB_OFFLINE="1")
    assert found["text"].startswith(
        f"HF_HUB_OFFLINE forbids to fetch {CODEALPACA}: unset that, or take rows of your own"
    )


def test_nobody_listens(load: Client) -> None:
    assert load(HF_ENDPOINT="http://127.0.0.1:9") == {
        "error": "HubUnreachable",
        "text": f"cannot reach http://127.0.0.1:9 for {CODEALPACA}: check the connection, set HF_ENDPOINT to a mirror, "
        "or take rows of your own (a file, or a YAML file that describes it)",
    }


def test_gated(hub: Any, codealpaca: Path, load: Client) -> None:
    hub.gated.add(CODEALPACA)
    refusal = {
        "error": "HubError",
        "text": f"{CODEALPACA} is gated: accept its terms at {hub.url}/datasets/{CODEALPACA}, then set HF_TOKEN to a "
        "token of that account",
    }
    assert load() == refusal
    assert load(HF_TOKEN="hf_of_somebody_else") == refusal
    assert len(load(HF_TOKEN=hub.token)["conversations"]) == 11


def test_missing_repository(hub: Any, load: Client) -> None:
    assert load() == {
        "error": "HubError",
        "text": f"there is no dataset at {hub.url}/datasets/{CODEALPACA}, or it is private: it was moved or removed; "
        "set HF_TOKEN if it is yours, or take rows of your own (a file, or a YAML file that describes it)",
    }


def test_missing_column(hub: Any, codealpaca: Path, load: Client) -> None:
    rows = [{"instruction": "Print 1.", "input": "", "response": "print(1)"}]
    (codealpaca / "code_alpaca_20k.json").write_text(json.dumps(rows), encoding="utf-8")
    found = load()
    assert found["error"] == "DataError"
    at = hub.revision(codealpaca)[:12]
    assert found["text"].startswith(
        f"{CODEALPACA} at {at} lacks output among its columns, now instruction, input, resp"
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, " has no file code_alpaca_20k.json or "), ("{{{", "code_alpaca_20k.json: line 1: not JSON")],
)
def test_a_repository_without_usable_files(codealpaca: Path, load: Client, content: str | None, text: str) -> None:
    file = codealpaca / "code_alpaca_20k.json"
    file.unlink() if content is None else file.write_text(content, encoding="utf-8")
    found = load()
    assert found["text"].startswith(CODEALPACA) and text in found["text"]


def test_models_are_served_too(hub: Any, tmp_path: Path) -> None:
    folder: Path = hub.folder("models", "some-one/tiny")
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "qwen2"}', encoding="utf-8")
    (folder / "sub" / "weights.bin").write_bytes(bytes(range(256)) * 40)
    fetched = subprocess.run(
        [sys.executable, "-c", SNAPSHOT, "some-one/tiny"],
        env=hub.environment(tmp_path / "hf_home"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert fetched.returncode == 0, fetched.stderr
    copy = Path(fetched.stdout.strip())
    assert copy.name == hub.revision(folder)
    assert (copy / "config.json").read_text(encoding="utf-8") == '{"model_type": "qwen2"}'
    assert (copy / "sub" / "weights.bin").read_bytes() == (folder / "sub" / "weights.bin").read_bytes()
