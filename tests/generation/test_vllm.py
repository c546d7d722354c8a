"""A real vLLM server on the processor: `scripts/vllm-environment.sh` makes its environment."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
import torch

from halo_forge.config.load import Loaded, load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.events import Event, EventType
from halo_forge.core.types import Checkpoint, Message, Prompt, Sampling
from halo_forge.generation.transformers import TransformersGenerator
from halo_forge.models.load import load_policy
from halo_forge.models.resolve import ModelRef
from halo_forge.models.save import save_checkpoint
from halo_forge.raft.loop import train_raft
from halo_forge.rollout.records import read_rollouts

ENVIRONMENT = Path(os.environ.get("HALO_FORGE_VLLM", "/opt/vllm"))
START_TIMEOUT_S = 400.0
LOADING = LoadingOptions(device="cpu", dtype="float32", threads=1)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ENVIRONMENT / "bin" / "python").is_file(),
        reason=f"no vLLM in {ENVIRONMENT}: scripts/vllm-environment.sh makes it, HALO_FORGE_VLLM says where it is",
    ),
]


class Vllm(NamedTuple):
    """A running server and the model it has."""

    url: str
    model: Path
    log: Path


@pytest.fixture(scope="module")
def vllm(terse_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    """Start the server with the command that `halo-forge serve` prints, and end its whole process group."""
    from halo_forge.cli.serve import command_for
    from halo_forge.config.serve import ServeConfig

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"model": str(terse_model), "port": port, "lora_rank": 8, "threads": 1, "device": "cpu"}
    words = shlex.split(command_for(load(ServeConfig, settings).config).line)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "PYTHONPATH": ""}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    words[0] = str(ENVIRONMENT / "bin" / words[0])
    log = tmp_path_factory.mktemp("vllm") / "vllm.log"
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, env=environment, start_new_session=True)
    try:
        _await(f"http://127.0.0.1:{port}/v1/models", process, log)
        yield Vllm(f"http://127.0.0.1:{port}/v1", terse_model, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if httpx2.get(url, trust_env=False).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(1)
    raise AssertionError(log.read_text()[-3000:])


@pytest.fixture
def configure(vllm: Vllm, tmp_path: Path, write_jsonl: Callable[..., Path]) -> Callable[..., Loaded[RaftTrainConfig]]:
    prompts = write_jsonl("prompts.jsonl", *({"id": f"p{i}", "prompt": f"double {i}"} for i in range(24)))

    def make(**changes: object) -> Loaded[RaftTrainConfig]:
        settings = {
            "model": str(vllm.model),
            "prompts": prompts,
            "output": tmp_path / "out",
            "generator": "server",
            "base_url": (vllm.url,),
            "verifier": "custom",
            "verifier_options": {"command": ["true"]},
            "cycles": 2,
            "samples_per_prompt": 4,
            "max_new_tokens": 32,
            "temperature": 0.7,
            "holdout_fraction": 0.25,
            "lora_rank": 8,
            "learning_rate": 3e-3,
            "batch_size": 2,
            "keep_fraction": 1.0,
            "threads": 1,
            "max_logprob_gap": 0.001,
            **changes,
        }
        return load(RaftTrainConfig, settings)

    return make


def test_two_cycles_with_adapters_that_change(
    vllm: Vllm, configure: Callable[..., Loaded[RaftTrainConfig]], tmp_path: Path
) -> None:
    heard: list[Event] = []
    loaded = configure()
    summary = train_raft(loaded, (heard.append,))
    output = loaded.config.output
    answers = [str(e.m["message"]) for e in heard if e.type is EventType.NOTICE and "answers, " in str(e.m["message"])]
    names = [answer.split("'")[1].removeprefix(f"{summary.run_id}-") for answer in answers]
    assert [name.rsplit("-", 1)[0] for name in names] == ["start", "cycle_1", "cycle_2"]
    assert len({name.rsplit("-", 1)[1] for name in names}) == 3
    print(*answers, sep="\n")

    listed = [card["id"] for card in httpx2.get(f"{vllm.url}/models", trust_env=False).json()["data"]]
    assert listed == ["base", f"{summary.run_id}-{names[-1]}"]

    chat = load_policy(ModelRef(str(vllm.model)), LOADING).chat
    prompts = {f"p{i}": chat.prompt_ids([Message(role="user", content=f"double {i}")]) for i in range(24)}
    for file, folder in (("cycle_1", None), ("cycle_2", "cycle_1_final"), ("holdout_2", "cycle_2_final")):
        adapter = None if folder is None else str(output / folder)
        policy = load_policy(ModelRef(str(vllm.model), adapter), LOADING)
        rollouts = read_rollouts(output / "rollouts" / f"{file}.jsonl")
        gaps = torch.cat(
            [_gaps(policy.model, prompts[r.prompt_id], r.completion.token_ids, r.completion.logprobs) for r in rollouts]
        )
        assert gaps.max() < 1e-3  # what was stored is what these weights give, and no other cycle's
        assert any(r.completion.finish_reason == "stop" for r in rollouts)
        for r in rollouts:
            ends = [token in chat.stop_ids for token in r.completion.token_ids]
            assert ends[:-1] == [False] * (len(ends) - 1)
            assert ends[-1] == (r.completion.finish_reason == "stop")


def _gaps(model: torch.nn.Module, prompt: list[int], ids: tuple[int, ...], logprobs: tuple[float, ...]) -> torch.Tensor:
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
    own = (logits.float() / 0.7).log_softmax(-1).gather(1, torch.tensor(ids)[:, None])[:, 0]
    return (own - torch.tensor(logprobs)).abs()


def test_greedy_decoding_with_adapters_is_the_local_one_token_by_token(
    vllm: Vllm, configure: Callable[..., Loaded[RaftTrainConfig]], tmp_path: Path
) -> None:
    from halo_forge.config.generator import GeneratorOptions
    from halo_forge.core.events import EventLog
    from halo_forge.core.stop import StopRequest
    from halo_forge.generation.adapters import name_adapter
    from halo_forge.generation.connect import open_servers

    train_raft(configure())
    questions = [Prompt(id=f"q{i}", messages=(Message(role="user", content=f"double {i}"),)) for i in range(16)]
    greedy = Sampling(n=1, temperature=0, max_new_tokens=48)
    options = GeneratorOptions(generator="server", base_url=(vllm.url,), server_model="base")
    base = load_policy(ModelRef(str(vllm.model)), LOADING)
    servers = open_servers(options, base.chat, 512, EventLog(), StopRequest())
    answers = {"base": ([c.token_ids for c in servers.generate(questions, greedy, seed=0)], base)}
    for name in ("cycle_1_final", "cycle_2_final"):
        folder = tmp_path / "out" / name
        servers.serve(name_adapter(folder, "greedy", name), "greedy")
        tuned = load_policy(ModelRef(str(vllm.model), str(folder)), LOADING)
        answers[name] = ([c.token_ids for c in servers.generate(questions, greedy, seed=0)], tuned)
    for seed in (0, 2):
        noisy = load_policy(ModelRef(str(vllm.model)), LOADING, TuningOptions(lora_rank=8), seed=1)
        torch.manual_seed(seed)
        for name, weight in noisy.model.named_parameters():
            if "lora_B" in name:
                weight.data.normal_(std=0.1)  # unlike what was learnt, so that longer answers are compared too
        folder = tmp_path / f"noisy_{seed}"
        save_checkpoint(
            noisy, folder, Checkpoint(kind="adapter", base_model=str(vllm.model), run_id="greedy", cycle=seed, step=1)
        )
        servers.serve(name_adapter(folder, "greedy", folder.name), "greedy")
        answers[folder.name] = ([c.token_ids for c in servers.generate(questions, greedy, seed=0)], noisy)
    for theirs, policy in answers.values():
        ours = TransformersGenerator(policy).generate(questions, greedy, seed=0)
        assert theirs == [c.token_ids for c in ours]
    assert len({tuple(answers[name][0]) for name in ("base", "noisy_0", "noisy_2")}) == 3
    print({name: sum(map(len, theirs)) for name, (theirs, _) in answers.items()})


def test_the_same_seed_draws_the_same_from_an_idle_server(vllm: Vllm) -> None:
    from halo_forge.config.generator import GeneratorOptions
    from halo_forge.core.events import EventLog
    from halo_forge.core.stop import StopRequest
    from halo_forge.generation.connect import open_servers

    base = load_policy(ModelRef(str(vllm.model)), LOADING)
    options = GeneratorOptions(generator="server", base_url=(vllm.url,), server_model="base")
    servers = open_servers(options, base.chat, 512, EventLog(), StopRequest())
    question = Prompt(id="q", messages=(Message(role="user", content="double 3"),))
    draws = [servers.generate([question], Sampling(n=8, temperature=1.0, max_new_tokens=16), seed=s) for s in (5, 5, 6)]
    assert draws[0] == draws[1] != draws[2]
    assert len({c.token_ids for c in draws[0]}) > 1
