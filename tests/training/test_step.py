from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from halo_forge.core.protocols import TrainingRow
from halo_forge.models.load import Policy
from halo_forge.training import logprobs
from halo_forge.training.layout import lay_out
from halo_forge.training.logprobs import TokenScorer, keeps_rows_apart
from halo_forge.training.reference import Reference
from halo_forge.training.settings import LossSettings
from halo_forge.training.step import Stepper

OpenPolicy = Callable[..., Policy]
Gradients = dict[str, torch.Tensor]


def gradients(policy: Policy, rows: Sequence[TrainingRow], size: int = 99, **settings: object) -> Gradients:
    stepper = Stepper(policy, LossSettings(**settings))  # type: ignore[arg-type]
    stepper.gradients(rows, size, seed=0)
    found = {name: weight.grad.clone() for name, weight in stepper.weights.items() if weight.grad is not None}
    policy.model.zero_grad(set_to_none=True)
    return found


def near(one: Gradients, other: Gradients, tolerance: float = 1e-4) -> bool:
    scale = max(float(grad.abs().max()) for grad in one.values())
    return all(float((one[name] - other[name]).abs().max()) <= tolerance * scale for name in one)


@torch.no_grad()
def drawn(
    policy: Policy, rows: Sequence[TrainingRow], temperature: float = 1.0, shift: float = 0.0
) -> list[TrainingRow]:
    """The rows as if the policy had drawn them: with its own log-probabilities, or some that are off by a shift."""
    found = []
    for row in rows:
        logits = policy.model(torch.tensor([row.ids])).logits[0, :-1] / temperature
        each = logits.log_softmax(-1).gather(1, torch.tensor(row.ids[1:])[:, None])[:, 0] - shift
        old = tuple(each[torch.tensor(row.learn[1:])].tolist())
        found.append(row._replace(old_logprobs=old, temperature=temperature))
    return found


@pytest.mark.parametrize("size", [1, 3, 5])
def test_parts_of_a_batch_add_up_to_its_gradient(open_policy: OpenPolicy, rows: list[TrainingRow], size: int) -> None:
    policy = open_policy()
    assert near(gradients(policy, rows), gradients(policy, rows, size))


@torch.no_grad()
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_packed_rows_have_the_loss_of_padded_ones(
    open_policy: OpenPolicy, rows: list[TrainingRow], tuning: str
) -> None:
    policy = open_policy(tuning=tuning)
    assert len({len(row.ids) for row in rows}) > 1
    padded, packed = (Stepper(policy, LossSettings(), packed=way).loss_sums(rows)[0] for way in (False, True))
    assert float(packed) == pytest.approx(float(padded), rel=1e-6)
    alone = sum(float(Stepper(policy, LossSettings()).loss_sums([row])[0]) for row in rows)
    assert float(packed) == pytest.approx(alone, rel=1e-6)


def test_a_model_whose_packed_rows_meet_is_found_out(open_policy: OpenPolicy) -> None:
    policy = open_policy()
    assert keeps_rows_apart(policy.model)
    forward = policy.model.model.forward

    def without_positions(**inputs: object) -> object:
        return forward(**{**inputs, "position_ids": None})

    policy.model.model.forward = without_positions
    assert not keeps_rows_apart(policy.model)


def test_a_vocabulary_in_pieces_changes_nothing(
    open_policy: OpenPolicy, rows: list[TrainingRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = open_policy()
    whole = gradients(policy, rows)
    monkeypatch.setattr(logprobs, "LOGITS_AT_ONCE", 1500)
    assert near(whole, gradients(policy, rows), 1e-5)


@torch.no_grad()
def test_a_model_that_bends_its_logits_is_asked_whole(open_policy: OpenPolicy, rows: list[TrainingRow]) -> None:
    policy = open_policy(tuning="lora")
    layout = lay_out(rows, policy.chat.pad_id, packed=False)
    plain = TokenScorer(policy)
    expected = plain(layout, torch.full(layout.targets.shape, 3.0))
    base = policy.model.get_base_model()
    forward = base.forward

    def bent(logits_to_keep: int | torch.Tensor = 0, **inputs: Any) -> Any:
        output = forward(logits_to_keep=logits_to_keep, **inputs)
        output.logits = output.logits / 3
        return output

    base.forward = bent
    assert torch.allclose(TokenScorer(policy)(layout), expected, atol=1e-5)
    assert not torch.allclose(plain(layout), expected, atol=1e-5)


@pytest.mark.parametrize("objective", ["raft++", "reinforce-rej", "grpo"])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_right_after_drawing_a_step_follows_the_advantages(
    open_policy: OpenPolicy, rows: list[TrainingRow], objective: str, temperature: float
) -> None:
    policy = open_policy()
    weighted = [row._replace(weight=(-1.0, 0.5, 1.0)[i % 3]) for i, row in enumerate(rows)]
    fresh = drawn(policy, weighted, temperature)
    result = Stepper(policy, LossSettings(objective)).gradients(fresh, 99, seed=0)  # type: ignore[arg-type]
    policy.model.zero_grad(set_to_none=True)
    assert result.gap is not None and result.gap < 1e-5
    ours = gradients(policy, fresh, objective=objective)
    if temperature == 1:
        assert near(gradients(policy, fresh, objective="raft"), ours)
    learnt = sum(sum(row.learn) for row in fresh)
    name, weight = next((n, p) for n, p in policy.model.named_parameters() if n.endswith("norm.weight"))
    direct = _surrogate(policy, fresh, temperature)
    step = 1e-2
    with torch.no_grad():
        weight[0] += step
        above = _surrogate(policy, fresh, temperature)
        weight[0] -= 2 * step
        below = _surrogate(policy, fresh, temperature)
        weight[0] += step
    assert direct == pytest.approx(-sum(row.weight * sum(row.learn) for row in fresh), rel=1e-4)
    assert float(ours[name][0]) == pytest.approx((above - below) / (2 * step) / learnt, rel=0.05, abs=1e-5)


@torch.no_grad()
def _surrogate(policy: Policy, rows: Sequence[TrainingRow], temperature: float) -> float:
    """-Σ A p / p_old, row by row from the model's whole output, in double precision."""
    total = 0.0
    for row in rows:
        logits = policy.model(torch.tensor([row.ids])).logits[0, :-1].double() / temperature
        each = logits.log_softmax(-1).gather(1, torch.tensor(row.ids[1:])[:, None])[:, 0][torch.tensor(row.learn[1:])]
        total -= row.weight * float((each - torch.tensor(row.old_logprobs).double()).exp().sum())
    return total


def test_stale_log_probabilities_show(open_policy: OpenPolicy, rows: list[TrainingRow]) -> None:
    policy = open_policy()
    result = Stepper(policy, LossSettings("grpo")).gradients(drawn(policy, rows, shift=0.3), 4, seed=0)
    assert result.gap == pytest.approx(0.3, rel=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_the_start_model_comes_back_for_the_divergence(
    open_policy: OpenPolicy, rows: list[TrainingRow], tuning: str
) -> None:
    policy, start = open_policy(tuning=tuning), open_policy(tuning=tuning)
    reference, layout = Reference(start), lay_out(rows, policy.chat.pad_id, packed=False)
    fresh = drawn(policy, rows)
    settings = LossSettings("grpo", kl_coefficient=0.5)
    assert Stepper(policy, settings, reference).loss_sums(fresh)[3] == pytest.approx(0, abs=1e-5)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            if parameter.requires_grad:
                parameter += 0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    own = {name: p.detach().clone() for name, p in policy.model.named_parameters()}
    now, then = TokenScorer(policy)(layout).detach(), TokenScorer(start)(layout).detach()
    loss, _, _, away = Stepper(policy, settings, reference).loss_sums(fresh)
    assert float(away) == pytest.approx(float(((then - now).exp() - (then - now) - 1).sum()), rel=1e-3)
    plain = Stepper(policy, LossSettings("grpo")).loss_sums(fresh)[0]
    assert float(loss) == pytest.approx(float(plain) + 0.5 * float(away), rel=1e-4)
    assert all(torch.equal(own[name], p) for name, p in policy.model.named_parameters())


@torch.no_grad()
def _large_vocabulary(policy: Policy, count: int) -> TokenScorer:
    scorer = TokenScorer(policy)
    hidden = policy.model.config.hidden_size
    scorer._head = torch.nn.Linear(hidden, count, bias=False)
    scorer._head.weight.normal_(std=0.2, generator=torch.Generator().manual_seed(0))
    policy.model.config.vocab_size = count
    return scorer


def test_a_vocabulary_of_150000_takes_bounded_memory(
    open_policy: OpenPolicy, rows: list[TrainingRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the backward pass keeps, by autograd's own account, against all logits at once."""
    policy = open_policy()
    scorer, layout = _large_vocabulary(policy, 150_000), lay_out(rows[:6], policy.chat.pad_id, packed=False)
    one_logits = len(layout.targets) * 150_000 * 4

    def measure(at_once: int) -> tuple[int, torch.Tensor, torch.Tensor]:
        monkeypatch.setattr(logprobs, "LOGITS_AT_ONCE", at_once)
        kept: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            scored = scorer(layout)
        scored.sum().backward()
        weight = scorer._head.weight
        gradient, weight.grad = weight.grad.clone(), None
        weights = {parameter.data_ptr() for parameter in [weight, *policy.model.parameters()]}
        return sum(size for place, size in kept.items() if place not in weights), scored.detach(), gradient

    most, whole, gradient = measure(1 << 40)
    least, pieces, same_gradient = measure(16 * 150_000)
    assert torch.allclose(whole, pieces, atol=1e-5)
    assert torch.allclose(gradient, same_gradient, atol=1e-5)
    assert most > one_logits > 4 * least
