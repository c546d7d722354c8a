from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from completion_server import LOADING, CompletionServer, serve_completions

from halo_forge.config.generator import GeneratorOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import ConfigError, DataError, EnvironmentFault, Interrupted
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Checkpoint, Prompt, Sampling
from halo_forge.generation.adapters import name_adapter
from halo_forge.generation.agreement import confirm, measure_gap
from halo_forge.generation.connect import check_servers
from halo_forge.generation.server import ServerGenerator
from halo_forge.generation.transformers import TransformersGenerator
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.resolve import ModelRef
from halo_forge.models.save import save_checkpoint

Connect = Callable[..., ServerGenerator]
SAMPLING = Sampling(n=3, temperature=0.8, max_new_tokens=6)
GREEDY = Sampling(n=1, temperature=0, max_new_tokens=12)


@pytest.fixture
def prompts(make_prompt: Callable[..., Prompt]) -> list[Prompt]:
    return [make_prompt("a", "add"), make_prompt("b", "Write int f(int n)."), make_prompt("c", "double n")]


@pytest.fixture
def tune(nano_model: Path, tmp_path: Path) -> Callable[[str, float], tuple[Policy, Path]]:
    """Make an adapter whose weights differ from the base by noise of a given size, in memory and on disk."""

    def make(name: str, noise: float) -> tuple[Policy, Path]:
        policy = load_policy(ModelRef(str(nano_model)), LOADING, TuningOptions(lora_rank=4), seed=1)
        torch.manual_seed(len(name))
        for key, weight in policy.model.named_parameters():
            if "lora_B" in key:
                weight.data.normal_(std=noise)
        checkpoint = Checkpoint(kind="adapter", base_model=str(nano_model), run_id="r", cycle=1, step=1)
        save_checkpoint(policy, tmp_path / name, checkpoint)
        return policy, tmp_path / name

    return make


def test_greedy_completions_are_the_local_ones_token_by_token(
    server: CompletionServer, connect: Connect, prompts: list[Prompt]
) -> None:
    expected = TransformersGenerator(server.base).generate(prompts, GREEDY, seed=4)
    got = connect().generate(prompts, GREEDY, seed=4)
    assert [c.model_copy(update={"logprobs": ()}) for c in expected] == got


def test_what_was_drawn_depends_on_the_chunks_seed_the_prompt_and_the_index(
    connect: Connect, prompts: list[Prompt], server: CompletionServer
) -> None:
    generator = connect()
    first = generator.generate(prompts, SAMPLING, seed=7)
    assert [(c.prompt_id, c.index) for c in first] == [(p, i) for p in "abc" for i in range(3)]
    assert generator.generate(prompts, SAMPLING, seed=7) == first
    assert generator.generate(prompts[1:2], SAMPLING, seed=7) == first[3:6]
    assert generator.generate(prompts, SAMPLING, seed=8) != first
    assert len({body["seed"] for body in server.asked[1:10]}) == 9


def test_every_sampling_parameter_is_spelt_out(
    server: CompletionServer, connect: Connect, prompts: list[Prompt]
) -> None:
    sampling = Sampling(n=1, temperature=0.5, top_p=0.9, top_k=0, max_new_tokens=6)
    connect().generate(prompts[:1], sampling, seed=7)
    body = server.asked[-1]
    chat = server.base.chat
    assert body["prompt"] == chat.prompt_ids(prompts[0].messages)
    assert body["stop_token_ids"] == sorted(chat.stop_ids)
    named = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
    assert [body[name] for name in named] == [0.5, 0.9, -1, 0.0, 1.0, 0.0, 0.0]


def test_log_probabilities_are_kept_once_they_are_found_to_be_the_models(
    server: CompletionServer, connect: Connect, prompts: list[Prompt]
) -> None:
    generator = connect()
    assert all(c.logprobs == () for c in generator.generate(prompts, SAMPLING, seed=7))
    found = confirm(generator, server.base, [SAMPLING], most=0.01)
    assert "nats a token from the local model" in found
    for completion in generator.generate(prompts, SAMPLING, seed=7):
        assert len(completion.logprobs) == len(completion.token_ids)


def test_log_probabilities_before_temperature_are_told_apart_and_left_out(
    server: CompletionServer, connect: Connect, prompts: list[Prompt]
) -> None:
    server.moods.raw_logprobs = True
    generator = connect()
    gap = measure_gap(_keeping(generator), server.base, SAMPLING)
    assert gap.raw < 1e-4 < gap.drawn
    assert "--logprobs-mode processed_logprobs" in confirm(generator, server.base, [SAMPLING], most=1.0)
    assert all(c.logprobs == () for c in generator.generate(prompts, SAMPLING, seed=7))


def test_they_are_kept_where_a_run_draws_at_temperature_1_alone(server: CompletionServer, connect: Connect) -> None:
    server.moods.raw_logprobs = True
    generator = connect()
    plain = SAMPLING.model_copy(update={"temperature": 1.0})
    assert "nats a token from the local model" in confirm(generator, server.base, [plain], most=0.01)
    assert generator.keeps_logprobs
    confirm(generator, server.base, [plain, SAMPLING], most=0.01)
    assert not generator.keeps_logprobs


def _keeping(generator: ServerGenerator) -> ServerGenerator:
    generator.keeps_logprobs = True
    return generator


def test_other_weights_behind_the_right_name_are_found_out(
    server: CompletionServer, connect: Connect, tune: Callable[[str, float], tuple[Policy, Path]]
) -> None:
    generator = connect()
    old, old_folder = tune("old", 0.3)
    new, new_folder = tune("newer", 0.3)
    generator.serve(name_adapter(old_folder, "run", "cycle_1"), "run")
    confirm(generator, old, [SAMPLING], most=0.1)
    server.moods.keep_weights = True
    generator.serve(name_adapter(new_folder, "run", "cycle_2"), "run")
    with pytest.raises(EnvironmentFault, match=r"nats a token from the local model's, where 0\.1 are allowed"):
        confirm(generator, new, [SAMPLING], most=0.1)
    assert not generator.keeps_logprobs


def test_an_adapter_is_loaded_under_a_name_with_its_hash_and_the_older_one_unloaded(
    server: CompletionServer,
    connect: Connect,
    prompts: list[Prompt],
    tune: Callable[[str, float], tuple[Policy, Path]],
) -> None:
    generator = connect()
    drawn = []
    for label in ("cycle_1", "cycle_22"):
        policy, folder = tune(label, 0.3)
        adapter = name_adapter(folder, "run", label)
        assert generator.serve(adapter, "run") == []
        assert list(server.adapters) == [adapter.name]
        assert adapter.name.startswith(f"run-{label}-")
        drawn.append(generator.generate(prompts, GREEDY, seed=0))
        local = TransformersGenerator(policy).generate(prompts, GREEDY, seed=0)
        assert [c.token_ids for c in drawn[-1]] == [c.token_ids for c in local]
    assert drawn[0] != drawn[1]
    assert generator.serve(adapter, "run") == []  # a second time changes nothing


def test_adapters_of_other_runs_stay(
    server: CompletionServer, connect: Connect, tune: Callable[[str, float], tuple[Policy, Path]]
) -> None:
    _, folder = tune("theirs", 0.1)
    connect().serve(name_adapter(folder, "theirs", "cycle_1"), "theirs")
    connect().serve(name_adapter(folder, "ours", "cycle_1"), "ours")
    assert len(server.adapters) == 2


def test_sglang_names_adapters_after_the_base_and_loads_them_elsewhere(
    server: CompletionServer,
    connect: Connect,
    prompts: list[Prompt],
    tune: Callable[[str, float], tuple[Policy, Path]],
) -> None:
    server.moods.engine = "sglang"
    policy, folder = tune("a", 0.3)
    generator = connect()
    generator.serve(name_adapter(folder, "run", "cycle_1"), "run")
    assert "POST /load_lora_adapter" in server.paths
    got = generator.generate(prompts, GREEDY, seed=0)
    assert server.asked[-1]["model"].startswith("base:run-cycle_1-")
    local = TransformersGenerator(policy).generate(prompts, GREEDY, seed=0)
    assert [c.token_ids for c in got] == [c.token_ids for c in local]


def test_a_server_that_loses_an_adapter_or_cannot_read_it_is_a_fault(
    server: CompletionServer, connect: Connect, tune: Callable[[str, float], tuple[Policy, Path]], tmp_path: Path
) -> None:
    _, folder = tune("a", 0.3)
    adapter = name_adapter(folder, "run", "cycle_1")
    server.moods.lose_adapters = 1
    with pytest.raises(EnvironmentFault, match="does not list it among its models"):
        connect().serve(adapter, "run")
    with pytest.raises(EnvironmentFault, match="able to read that folder under the same path"):
        connect().serve(adapter._replace(folder=tmp_path / "nowhere"), "run")
    with pytest.raises(EnvironmentFault, match=r"adapter_config\.json: No such file"):
        name_adapter(tmp_path / "nowhere", "run", "cycle_1")


def test_an_answer_of_other_weights_is_never_used(
    server: CompletionServer, connect: Connect, prompts: list[Prompt]
) -> None:
    generator = connect()
    server.moods.answer_as = "run-cycle_1-0123"
    with pytest.raises(EnvironmentFault, match="answered with the weights 'run-cycle_1-0123' where 'base' were asked"):
        generator.generate(prompts, SAMPLING, seed=7)


def test_failures_that_pass_change_nothing(server: CompletionServer, connect: Connect, prompts: list[Prompt]) -> None:
    generator = connect()
    expected = generator.generate(prompts, SAMPLING, seed=7)
    server.moods.fail, server.moods.cut, server.moods.abort = 2, 2, 2
    assert generator.generate(prompts, SAMPLING, seed=7) == expected
    assert (server.moods.fail, server.moods.cut, server.moods.abort) == (0, 0, 0)


def test_a_slow_answer_is_given_up_and_asked_for_again(
    server: CompletionServer, connect: Connect, prompts: list[Prompt]
) -> None:
    expected = connect().generate(prompts[:1], GREEDY, seed=7)
    generator = connect(server_timeout_s=0.5)
    server.moods.slow_s = 1.0
    threading.Timer(1.2, lambda: setattr(server.moods, "slow_s", 0.0)).start()
    assert generator.generate(prompts[:1], GREEDY, seed=7) == expected


def test_a_server_killed_and_started_again_is_waited_for_and_gets_its_adapter_back(
    server: CompletionServer,
    connect: Connect,
    prompts: list[Prompt],
    tune: Callable[[str, float], tuple[Policy, Path]],
) -> None:
    _, folder = tune("a", 0.3)
    generator = connect()
    adapter = name_adapter(folder, "run", "cycle_1")
    generator.serve(adapter, "run")
    expected = generator.generate(prompts, SAMPLING, seed=7)
    port = server.stop()
    threading.Timer(0.6, server.start, (port,)).start()
    assert generator.generate(prompts, SAMPLING, seed=7) == expected
    assert list(server.adapters) == [adapter.name]


def test_patience_ends_with_what_to_do(server: CompletionServer, connect: Connect, prompts: list[Prompt]) -> None:
    generator = connect(server_patience_s=0.3)
    port = server.stop()
    with pytest.raises(EnvironmentFault, match=r"no server answered a completion for 0.3 s .*the same command"):
        generator.generate(prompts, SAMPLING, seed=7)
    server.start(port)


def test_a_stop_is_heeded_while_servers_are_away(
    server: CompletionServer, connect: Connect, prompts: list[Prompt]
) -> None:
    stop = StopRequest()
    generator = connect(stop=stop, server_patience_s=300.0)
    port = server.stop()
    threading.Timer(0.3, lambda: setattr(stop, "requested", True)).start()
    begun = time.monotonic()
    with pytest.raises(Interrupted):
        generator.generate(prompts, SAMPLING, seed=7)
    assert time.monotonic() - begun < 60
    server.start(port)


def test_two_servers_share_the_prompts_and_stand_in_for_each_other(
    server: CompletionServer, connect: Connect, prompts: list[Prompt], nano_model: Path
) -> None:
    expected = connect().generate(prompts, SAMPLING, seed=7)
    with serve_completions(nano_model) as other:
        generator = connect(base_url=(server.url, other.url))
        server.asked.clear()
        other.asked.clear()
        assert generator.generate(prompts, SAMPLING, seed=7) == expected
        assert sorted((len(server.asked), len(other.asked))) == [3, 6]
        assert not {tuple(b["prompt"]) for b in server.asked} & {tuple(b["prompt"]) for b in other.asked}
        other.stop()
        assert generator.generate(prompts, SAMPLING, seed=7) == expected


def test_a_server_that_takes_text_only_is_spoken_to_in_text(
    server: CompletionServer, connect: Connect, prompts: list[Prompt], notices: list[str]
) -> None:
    expected = connect().generate(prompts, GREEDY, seed=7)
    server.moods.text_only = True
    generator = connect()
    assert not generator.speech.ids
    assert any("takes or returns no token ids" in notice for notice in notices)
    assert "could not be compared" in confirm(generator, server.base, [SAMPLING], most=0.1)
    got = generator.generate(prompts, GREEDY, seed=7)
    assert [c.text for c in got] == [c.text for c in expected]
    assert all(c.logprobs == () for c in got)


def test_text_that_cannot_be_sent_faithfully_is_refused(
    server: CompletionServer, connect: Connect, make_prompt: Callable[..., Prompt]
) -> None:
    server.moods.text_only = True
    with pytest.raises(DataError, match="prompt 'sly' cannot be sent as text"):
        connect().generate([make_prompt("sly", "end this turn <|im_end|> now")], GREEDY, seed=0)
    server.moods.extra_prompt_tokens = 1
    with pytest.raises(EnvironmentFault, match=r"read \d+ tokens where the chat template gives \d+"):
        connect()


def test_a_server_without_log_probabilities_is_said_to_be_one(
    server: CompletionServer, connect: Connect, prompts: list[Prompt], notices: list[str]
) -> None:
    server.moods.no_logprobs = True
    generator = connect()
    assert any("returns no log-probabilities" in notice for notice in notices)
    assert "could not be compared" in confirm(generator, server.base, [SAMPLING], most=0.1)
    assert len(generator.generate(prompts, SAMPLING, seed=7)) == 9


def test_a_limit_of_the_servers_own_is_found_out(
    server: CompletionServer, connect: Connect, prompts: list[Prompt]
) -> None:
    generator = connect()
    server.moods.most_tokens = 4
    with pytest.raises(EnvironmentFault, match=r"cut a completion at 4 tokens where 12.*--generation-config vllm"):
        generator.generate(prompts, GREEDY, seed=7)


def test_a_completion_that_ends_wrongly_is_found_out(
    server: CompletionServer, connect: Connect, prompts: list[Prompt]
) -> None:
    generator = connect()
    server.moods.ends_inside = True
    with pytest.raises(EnvironmentFault, match="does not heed stop_token_ids"):
        generator.generate(prompts, GREEDY, seed=7)
    server.moods.ends_inside, server.moods.stops_elsewhere = False, True
    with pytest.raises(EnvironmentFault, match=r"ended a completion \('stop'\) at token \d+, where"):
        generator.generate(prompts, GREEDY, seed=7)


def test_the_servers_context_bounds_what_fits(
    server: CompletionServer, connect: Connect, make_prompt: Callable[..., Prompt], notices: list[str],
    options: Callable[..., GeneratorOptions],
) -> None:  # fmt: skip
    prompt = make_prompt("p", "add two numbers")
    length = len(server.base.chat.prompt_ids(prompt.messages))
    server.moods.context = length + 3
    generator = connect()
    assert any(f"hold {length + 3} tokens where the model attends to 512" in notice for notice in notices)
    (completion,) = generator.generate([prompt], GREEDY, seed=0)
    assert len(completion.token_ids) <= 3
    server.moods.context = length
    with pytest.raises(DataError, match="prompt 'p' has"):
        connect().generate([prompt], GREEDY, seed=0)
    with pytest.raises(DataError, match="1 prompts fill the servers' context"):
        check_servers(options(), server.base.chat, [prompt], adapters=False)


def test_before_a_run_everything_about_the_servers_is_checked(
    server: CompletionServer, options: Callable[..., GeneratorOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(adapters: bool = True, **changes: object) -> str:
        return check_servers(options(**changes), server.base.chat, [], adapters=adapters).model

    assert check() == "base"
    with pytest.raises(ConfigError, match="has no model 'other'; it has base"):
        check(server_model="other")
    server.moods.static = True
    assert check(adapters=False) == "base"
    with pytest.raises(EnvironmentFault, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING"):
        check()
    server.moods.static = False
    server.moods.key = "s3cret"
    with pytest.raises(EnvironmentFault, match=r"status 401.*HALO_FORGE_SERVER_KEY"):
        check()
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret")
    assert check() == "base"
    monkeypatch.setenv("HALO_FORGE_SERVER_KEY", "wrong")
    with pytest.raises(EnvironmentFault, match="401"):
        check()
    port = server.stop()
    with pytest.raises(EnvironmentFault, match=r"no server answered the question for its models.*ConnectError"):
        check()
    server.start(port)


def test_an_address_that_is_no_such_server_is_named(
    server: CompletionServer, options: Callable[..., GeneratorOptions]
) -> None:
    with pytest.raises(EnvironmentFault, match="refused /v1/models with status 404"):
        check_servers(options(base_url=(server.url + "/deeper",)), server.base.chat, [], adapters=False)


def test_servers_of_different_models_are_refused(server: CompletionServer, connect: Connect, nano_model: Path) -> None:
    with serve_completions(nano_model) as other:
        other.moods.engine = "sglang"
        with pytest.raises(EnvironmentFault, match="do not serve the same model"):
            connect(base_url=(server.url, other.url))
