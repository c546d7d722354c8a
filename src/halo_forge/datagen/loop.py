"""Having a model behind an API write training data: what is missing is asked for, then the output is made anew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pydantic import JsonValue

from halo_forge.config.generate import GenerateConfig
from halo_forge.config.shared import JudgingOptions, VerifierOptions
from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.events import EventLog, EventType, Listener
from halo_forge.core.stop import StopRequest, stop_on_signals
from halo_forge.data.sidecar import write_sidecar
from halo_forge.data.tables import require_name_of_lines
from halo_forge.datagen.asking import PHASE, Asking, Course, ask_all
from halo_forge.datagen.backend import Target, find_target, open_backend
from halo_forge.datagen.budget import Budget
from halo_forge.datagen.ledger import Ledger, open_ledger
from halo_forge.datagen.plan import WORDING, Request, plan_item, word_request
from halo_forge.datagen.prices import Price, find_price
from halo_forge.datagen.rows import Judge, Rows, Tally
from halo_forge.datagen.summary import GenerateSummary, sidecar, spending
from halo_forge.datagen.topic import Topic, find_topic
from halo_forge.rollout.checking import open_checker

MOST_REASONS = 3


class Plan(NamedTuple):
    """What is to be written, by whom, and for how much.

    Args:
        settings: what the answers follow from.
    """

    config: GenerateConfig
    topic: Topic
    target: Target
    budget: Budget
    settings: dict[str, JsonValue]

    def word(self, item: int) -> Request:
        """Put an item into words."""
        return word_request(self.topic, plan_item(self.topic, self.config.seed, item))


def generate(config: GenerateConfig, listeners: tuple[Listener, ...] = (), *, resume: bool = False) -> GenerateSummary:
    """Ask for what the ledger beside the output does not hold, and write the output.

    Everything that can be refused is refused before the first request: topic, model, key, price, verifier, output.

    Raises:
        ConfigError: a setting is wrong, or the server refuses the key, the model or the address.
        RunConflictError, RunLockedError, DataError: the output is not ours to write, or holds nothing to resume.
        EnvironmentFault: the client or the verifier's toolchain is missing, or the server fails.
        TooManyFaults: the share of unverifiable answers passed the limit.
        Interrupted: a stop was asked for; answers under way are stored.
    """
    begun = time.perf_counter()
    plan = _plan(config)
    stop = StopRequest()
    opened = open_ledger(config.output, plan.settings, resume=resume)
    with EventLog() as events, stop_on_signals(stop), opened as ledger, _judge(plan) as judge:
        for listener in listeners:
            events.listen(listener)
        course = _ask(plan, ledger, judge, events, stop)
        rows = Rows(
            ledger,
            plan.topic,
            config.seed,
            judge,
            stop,
            near_threshold=config.near_threshold,
            as_prompts=config.form == "prompts",
        )
        tally = rows.write(config.output, config.count)
        for notice in judge.take_notices() if judge is not None else ():
            events.notice(notice)
        summary = _sum_up(plan, ledger, course, tally, None if judge is None else judge.name, begun)
        write_sidecar(config.output, sidecar(summary, tally, plan.settings))
    return summary


def require_complete(summary: GenerateSummary) -> None:
    """Refuse to call it done where items stayed without an answer for another reason than the budget.

    Raises:
        EnvironmentFault: some did; the text says why.
    """
    if summary.left_out:
        worst = sorted(summary.left_out.items(), key=lambda item: -item[1])[:MOST_REASONS]
        reasons = "; ".join(f"{count} by {reason}" for reason, count in worst)
        raise EnvironmentFault(
            f"{sum(summary.left_out.values())} of {summary.asked} items stayed without an answer ({reasons}). "
            f"{summary.output} holds what there is, and the same command asks for them again"
        )


def _plan(config: GenerateConfig) -> Plan:
    require_name_of_lines(config.output)
    topic, target = find_topic(config.topic), find_target(config)
    budget = Budget(config.budget, _price(config, target), target.model)
    return Plan(config, topic, target, budget, _settings(config, topic, target))


def _ask(plan: Plan, ledger: Ledger, judge: Judge | None, events: EventLog, stop: StopRequest) -> Course:
    """Ask for what is missing."""
    config = plan.config
    answered = ledger.answered
    missing = [item for item in range(config.count) if item not in answered]
    if not missing:
        return Course(by_budget=False, left_out={})
    backend = open_backend(config, plan.target)
    _tell_most(plan, missing, events)
    begun = time.perf_counter()
    done = config.count - len(missing)
    events.emit(EventType.PHASE_STARTED, phase=PHASE, unit="answers", total=config.count, done=done)
    course = ask_all(Asking(config, backend, ledger, plan.budget, plan.word, judge, events, stop), missing)
    events.emit(EventType.PHASE_FINISHED, phase=PHASE, wall_s=time.perf_counter() - begun)
    if course.by_budget:
        events.notice(
            f"the budget of ${config.budget:g} allows no further request: {len(ledger.answered):,} of {config.count:,} "
            "answers are there; a larger --budget continues"
        )
    return course


def _tell_most(plan: Plan, missing: list[int], events: EventLog) -> None:
    """Say beforehand what it may cost, or that this is not known."""
    price, model = plan.budget.price, plan.target.model
    if price is None:
        events.notice(f"no price is known for '{model}' here: tokens are counted, costs are not (--price-per-million)")
    elif price.input or price.output:
        tokens_in = sum(plan.word(item).most_tokens for item in missing)
        most = price.cost(tokens_in, len(missing) * plan.config.max_new_tokens)
        dated = f", at prices of {price.as_of}" if price.as_of else ""
        events.notice(f"{len(missing):,} answers of {model} cost about ${most:.2f} at the very most{dated}")


@contextmanager
def _judge(plan: Plan) -> Iterator[Judge | None]:
    """Open the verifier before anything is paid for."""
    config, topic = plan.config, plan.topic
    if not config.verify:
        yield None
        return
    verifier = config.verifier or topic.verifier
    own = topic.verifier_options if verifier == topic.verifier else {}
    judging = config.model_dump(include=set(JudgingOptions.model_fields))
    options = VerifierOptions(verifier=verifier, verifier_options={**own, **config.verifier_options}, **judging)
    with open_checker(options) as checker:
        yield Judge(checker, topic, config.max_fault_rate)


def _price(config: GenerateConfig, target: Target) -> Price | None:
    if config.price_per_million is not None:
        price_in, price_out = config.price_per_million
        return Price(input=price_in, output=price_out)
    return find_price(target.backend, target.model, target.named_url)


def _settings(config: GenerateConfig, topic: Topic, target: Target) -> dict[str, JsonValue]:
    return {
        "topic": topic.name,
        "backend": target.backend,
        "model": target.model,
        "base_url": target.named_url,
        "temperature": config.temperature,
        "max_new_tokens": config.max_new_tokens,
        "seed": config.seed,
        "the topic's content": topic.asked_sha256,
        "the wording of requests": WORDING,
    }


def _sum_up(
    plan: Plan, ledger: Ledger, course: Course, tally: Tally, verifier: str | None, begun: float
) -> GenerateSummary:
    return GenerateSummary(
        output=str(plan.config.output),
        topic=plan.topic.name,
        backend=plan.target.backend,
        model=plan.target.model,
        asked=plan.config.count,
        answers=tally.answers,
        kept=tally.kept,
        dropped=tally.dropped,
        rejected=tally.rejected,
        unverifiable=tally.unverifiable,
        left_out=course.left_out,
        by_budget=course.by_budget,
        verifier=verifier,
        spending=spending(ledger, plan.budget),
        wall_s=time.perf_counter() - begun,
    )
