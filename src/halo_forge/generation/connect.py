"""Finding out what servers are: before a run whether they are fit for it, at its start how to speak with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from halo_forge.config.generator import GeneratorOptions
from halo_forge.core.errors import ConfigError, DataError, EnvironmentFault
from halo_forge.core.events import EventLog
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Message, Prompt, Sampling
from halo_forge.generation.adapters import check_loading, list_models
from halo_forge.generation.protocol import COMPLETIONS, ModelCard, Question, read_answer, sampled_logprobs
from halo_forge.generation.server import ServerGenerator, Speech, check_reading
from halo_forge.generation.servers import ServerRefusal, Servers, Session
from halo_forge.models.chat import ChatFormat

PROBE = Prompt(id="probe", messages=(Message(role="user", content="Write a function that adds two numbers."),))
PROBE_TOKENS = 2
NOT_UNDERSTOOD = (400, 422)


class Serving(NamedTuple):
    """What all servers have in common.

    Args:
        model: their name for the base model.
        engine: who made them, such as `vllm`; may be empty.
        context: tokens that prompt and completion may have together, if they tell.
    """

    model: str
    engine: str
    context: int | None


def check_servers(options: GeneratorOptions, chat: ChatFormat, prompts: Sequence[Prompt], *, adapters: bool) -> Serving:
    """See before a run that every server is up, has the model, has room for the prompts and takes adapters if it must.

    Raises:
        EnvironmentFault: one is down, or lacks what the run needs.
        ConfigError: it is not clear which of its models is meant.
        DataError: prompts do not fit.
    """
    with _servers(options, patience_s=0.0).connect(StopRequest()) as session:
        serving = _serving(session, options)
        if adapters:
            for root in session.roots:
                session.insist([root], "the question whether it loads adapters", lambda r: check_loading(session, r))
    limit = serving.context
    overlong = [p.id for p in prompts if limit is not None and len(chat.prompt_ids(p.messages, p.tools)) >= limit]
    if overlong:
        raise DataError(
            f"{len(overlong)} prompts fill the servers' context of {limit} tokens (such as {min(overlong)}): start "
            "the servers with a longer one (vLLM: --max-model-len), or leave these prompts out"
        )
    return serving


def open_servers(
    options: GeneratorOptions, chat: ChatFormat, context: int | None, events: EventLog, stop: StopRequest
) -> ServerGenerator:
    """Make the generator of a run, and say what its servers can and cannot do.

    Args:
        context: tokens that the model can attend to, if known.

    Raises:
        EnvironmentFault: a server is away, or does not behave.
        ConfigError: see `check_servers`.
    """
    servers = _servers(options, options.server_patience_s)
    with servers.connect(stop) as session:
        serving = _serving(session, options)
        speech = [
            session.insist([root], "a first question", lambda r: _try(session, r, serving.model, chat))
            for root in session.roots
        ]
    spoken = Speech(ids=all(s.ids for s in speech), logprobs=all(s.logprobs for s in speech))
    limit = min((c for c in (context, serving.context) if c is not None), default=None)
    events.notice(
        f"completions come from {', '.join(servers.roots)}: model '{serving.model}'"
        + (f", {serving.engine}" if serving.engine else "")
        + (f", {serving.context} tokens of context" if serving.context else "")
    )
    if limit is not None and context is not None and limit < context:
        events.notice(
            f"the servers hold {limit} tokens where the model attends to {context}: longer completions are cut there"
        )
    for notice in _shortcomings(spoken):
        events.notice(notice)
    return ServerGenerator(servers, chat, limit, serving.model, spoken, stop)


def _servers(options: GeneratorOptions, patience_s: float) -> Servers:
    return Servers.at(options.base_url, options.server_timeout_s, patience_s)


def _serving(session: Session, options: GeneratorOptions) -> Serving:
    found = []
    for root in session.roots:
        cards = session.insist([root], "the question for its models", lambda r: list_models(session, r))
        card = _choose(root, cards, options.server_model)
        found.append(Serving(card.id, card.owned_by, card.max_model_len))
    if len({(serving.model, serving.engine) for serving in found}) != 1:
        named = ", ".join(f"'{s.model}' ({s.engine})" for s in found)
        raise EnvironmentFault(f"the servers do not serve the same model: {named}; give them one name and one engine")
    limits = [serving.context for serving in found if serving.context is not None]
    return Serving(found[0].model, found[0].engine, min(limits, default=None))


def _choose(root: str, cards: Sequence[ModelCard], name: str | None) -> ModelCard:
    named = [card for card in cards if card.parent is None]
    chosen = [card for card in cards if card.id == name] if name is not None else named
    if len(chosen) != 1:
        listed = ", ".join(card.id for card in named) or "none"
        what = f"has no model '{name}'" if name is not None else "does not serve exactly one model"
        raise ConfigError(f"{root} {what}; it has {listed}: name one with --server-model")
    return chosen[0]


def _try(session: Session, root: str, model: str, chat: ChatFormat) -> Speech:
    """Ask for two tokens, in ids and, if that is not understood, in text."""
    ids = chat.prompt_ids(PROBE.messages)
    question = Question(model, ids, PROBE_TOKENS, Sampling(n=1, max_new_tokens=PROBE_TOKENS), 0, chat.stop_ids)
    try:
        answer = read_answer(root, session.ask(root, COMPLETIONS, question.body), question)
        if answer.choice.token_ids is not None:
            return Speech(ids=True, logprobs=sampled_logprobs(answer.choice, len(answer.choice.token_ids)) is not None)
    except ServerRefusal as refusal:
        if refusal.status not in NOT_UNDERSTOOD:
            raise
    text = question._replace(prompt=chat.tokenizer.decode(ids, skip_special_tokens=False))
    check_reading(root, read_answer(root, session.ask(root, COMPLETIONS, text.body), text), ids)
    return Speech(ids=False, logprobs=False)


def _shortcomings(speech: Speech) -> list[str]:
    said = []
    if not speech.ids:
        said.append(
            "a server takes or returns no token ids: prompts go as text, and completions are cut into tokens by this "
            "side's tokenizer, which may not be the tokens that were sampled"
        )
    if not speech.logprobs:
        said.append(
            "a server returns no log-probabilities of the tokens it sampled: none are stored, and its weights cannot "
            "be compared with the local model's"
        )
    return said
