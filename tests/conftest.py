from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_server import HubServer, serve_hub
from scripted_plugin import install_scripted

from halo_forge.core.types import Completion, Message, Prompt, Reference, Rollout, Stage, Verdict


@pytest.fixture(scope="session", autouse=True)
def cache_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the verdict cache of whoever runs it, nor do the processes that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def scripted_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a package that brings a verifier; on the path it is found as `scripted`."""
    return install_scripted(tmp_path_factory.mktemp("scripted"))


@pytest.fixture
def scripted(scripted_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have that verifier found here and in the processes started from here."""
    monkeypatch.syspath_prepend(scripted_package)
    monkeypatch.setenv("PYTHONPATH", str(scripted_package))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def nano_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model from random weights, made once a session."""
    from halo_forge.demo.corpus import make_corpus
    from halo_forge.models.nano import build_nano_code_model

    folder = tmp_path_factory.mktemp("nano") / "base"
    rows = make_corpus(0).sft_rows[:400]
    build_nano_code_model(folder, [text for row in rows for text in (row.prompt, row.answer)], seed=0)
    return folder


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    """A Hub of our own on an empty folder."""
    root = tmp_path / "hub_root"
    root.mkdir()
    with serve_hub(root) as server:
        yield server


@pytest.fixture
def write_jsonl(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, *rows: object) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def make_prompt() -> Callable[..., Prompt]:
    def make(id: str = "p", text: str = "Write int f(int n).", group: str | None = None) -> Prompt:
        reference = Reference(asserts=("assert(f(2) == 4);",), entry_point="f")
        return Prompt(id=id, messages=(Message(role="user", content=text),), reference=reference, group=group)

    return make


@pytest.fixture
def make_rollout() -> Callable[..., Rollout]:
    def make(
        prompt_id: str = "p",
        index: int = 0,
        reward: float | None = 1.0,
        text: str | None = None,
        finish: str = "stop",
        stage: Stage = Stage.TESTS,
        cycle: int = 1,
        chunk: int = 0,
    ) -> Rollout:
        completion = Completion(
            prompt_id=prompt_id,
            index=index,
            text=f"answer {index}" if text is None else text,
            token_ids=(1, 2, 3),
            logprobs=(-0.5, -0.5, -0.5),
            finish_reason=finish,  # type: ignore[arg-type]
        )
        fault = "sandbox down" if reward is None else None
        verdict = Verdict(reward=reward, passed=reward == 1.0, stage=stage, fault=fault)
        return Rollout(cycle=cycle, chunk=chunk, completion=completion, verdict=verdict)

    return make
