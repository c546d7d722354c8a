from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_server import HubServer, serve_hub
from scripted_plugin import install_scripted

from halo_forge.core.types import Completion, Message, Prompt, Reference, Rollout, Stage, Verdict

TESTS = Path(__file__).parent
# What takes longest, as --durations tells: begun last, one of these would keep one worker busy when the others have
# nothing left. What uses a processor all the time stands beside what waits for a browser or for a limit of time.
LONG = (
    "attacks/test_attacks.py",
    "web/test_processes.py",
    "web/test_pages.py",
    "raft/test_kill.py",
    "raft/test_loop.py",
    "web/test_journeys.py",
    "demo/test_demo.py",
    "training/test_team.py",
    "training/test_machines.py",
    "training/test_zero_config.py",
    "raft/test_team.py",
    "raft/test_kill_media.py",
    "attacks/test_rug.py",
    "verifiers/cpp/test_headers.py",
    "models/test_hub_domains.py",
    "attacks/test_compiled_attacks.py",
    "attacks/test_composed_attacks.py",
    "rollout/test_ray_verifier.py",
    "rollout/test_ray_machines.py",
    "raft/test_ray_engine.py",
    "datagen/test_ray.py",
    "verifiers/msvc/test_program.py",
    "verifiers/math/test_answers.py",
    "verifiers/cpp/test_gcc.py",
    "verifiers/test_source_tokens.py",
    "verifiers/rust/test_program.py",
    "models/test_hub.py",
    "cli/test_audio.py",
    "cli/test_launch.py",
    "datagen/test_verified.py",
    "datagen/test_loop.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the files that take longest to the workers of xdist first, in the order of the list."""
    places = {TESTS / name: place for place, name in enumerate(LONG)}
    gone = [str(path) for path in places if not path.exists()]
    if gone:
        raise pytest.UsageError(f"LONG in tests/conftest.py names files that are not there: {', '.join(gone)}")
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session", autouse=True)
def cache_of_our_own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the verdict cache of whoever runs it, nor do the processes that tests start.

    What takes a toolchain most of a minute to make stays in the tests' own cache, for all sessions.
    """
    ours = tmp_path_factory.mktemp("cache")
    kept = request.config.cache.mkdir("toolchains") / "halo-forge"
    (ours / "halo-forge").mkdir()
    for kind in ("go", "crates"):
        (kept / kind).mkdir(parents=True, exist_ok=True)
        (ours / "halo-forge" / kind).symlink_to(kept / kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(ours))
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


@pytest.fixture(scope="session")
def nano_speech_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Whisper of random weights that hears a second, made once a session."""
    pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    from speech import build_speech_model

    return build_speech_model(tmp_path_factory.mktemp("speech") / "base")


@pytest.fixture(scope="session")
def terse_model(nano_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, taught to answer with a few tokens and to end its turn, made once a session."""
    from halo_forge.config.shared import LoadingOptions
    from halo_forge.config.tuning import TuningOptions
    from halo_forge.core.events import EventLog
    from halo_forge.core.stop import StopRequest
    from halo_forge.core.types import Checkpoint
    from halo_forge.models.load import load_policy
    from halo_forge.models.resolve import ModelRef
    from halo_forge.models.save import save_checkpoint
    from halo_forge.training.trainer import PolicyTrainer, TrainSettings

    folder = tmp_path_factory.mktemp("terse")
    loading = LoadingOptions(device="cpu", dtype="float32", threads=1)
    policy = load_policy(ModelRef(str(nano_model)), loading, TuningOptions(tuning="full"))
    answers = ("int f;", "return n * 2;", "int f(int n);", "n + n")
    rows = [
        policy.chat.conversation_row(
            [Message(role="user", content=f"double {i}"), Message(role="assistant", content=answers[i % 4])]
        )
        for i in range(32)
    ]
    settings = TrainSettings(learning_rate=5e-3, batch_size=8, epochs=10)
    PolicyTrainer(policy, settings, EventLog(), StopRequest()).train(rows, seed=0, cycle=0, state_folder=folder / "s")
    checkpoint = Checkpoint(kind="full", base_model=str(nano_model), run_id="t", cycle=0, step=0)
    save_checkpoint(policy, folder / "model", checkpoint)
    return folder / "model"


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
