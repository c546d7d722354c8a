"""Sampling on servers: one request a completion, with its own seed, in token ids where the server takes them.

What a server draws may depend on what else it computes at the time, so a repeated run may draw other completions; those
on disk are never drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from halo_forge.core.errors import DataError, EnvironmentFault
from halo_forge.core.seeds import derive
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Completion, Prompt, Sampling
from halo_forge.generation.adapters import Adapter, load_adapter, unload_adapters
from halo_forge.generation.protocol import (
    COMPLETIONS,
    Answer,
    Ending,
    Question,
    finish_reason,
    read_answer,
    sampled_logprobs,
)
from halo_forge.generation.servers import ServerAway, ServerRefusal, Servers, Session
from halo_forge.models.chat import ChatFormat

MOST_THREADS = 256
SEED_RANGE = 1 << 31  # what every server's seed can hold


@dataclass(frozen=True)
class Speech:
    """What a server understands beyond the bare protocol.

    Args:
        ids: prompts and completions go as token ids; else as text, which our tokenizer then cuts again.
        logprobs: log-probabilities of sampled tokens come back.
    """

    ids: bool = True
    logprobs: bool = True


@dataclass(frozen=True)
class _Draw:
    """One completion to be drawn; `roots` are the servers in the order in which they are asked."""

    prompt: Prompt
    index: int
    question: Question
    prompt_ids: list[int]
    roots: tuple[str, ...]
    chunk_seed: int


class ServerGenerator:
    """Draws completions from servers; see `core.protocols.Generator`.

    Args:
        context: tokens that prompt and completion may have together, if anything limits them.
        model: the servers' name for the base model.
        keeps_logprobs: whether the servers' log-probabilities have been found right; they are left out otherwise.
    """

    def __init__(
        self, servers: Servers, chat: ChatFormat, context: int | None, model: str, speech: Speech, stop: StopRequest
    ) -> None:
        self.servers = servers
        self.speech = speech
        self.keeps_logprobs = False
        self._chat = chat
        self._context = context
        self._model = model
        self._stop = stop
        self._adapter: Adapter | None = None

    @property
    def model(self) -> str:
        """The name that every answer must carry."""
        return self._model

    def serve(self, adapter: Adapter, run_id: str) -> list[str]:
        """Have every server load an adapter and answer with it from now on; this run's older ones are unloaded.

        Returns:
            What went wrong with unloading, for notices.

        Raises:
            EnvironmentFault: a server is away, or cannot load it.
        """
        problems: list[str] = []
        with self.servers.connect(self._stop) as session:

            def load(root: str) -> str:
                return load_adapter(session, root, adapter)

            names = {session.insist([root], "the request to load an adapter", load) for root in self.servers.roots}
            if len(names) != 1:
                raise EnvironmentFault(f"the servers name the same adapter differently: {names}; give them one engine")
            self._adapter, self._model = adapter, names.pop()
            for root in self.servers.roots:
                try:
                    unload_adapters(session, root, run_id, keep=adapter)
                except (ServerAway, ServerRefusal) as problem:
                    problems.append(f"an older adapter stays loaded: {problem}")
        return problems

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, seed: int) -> list[Completion]:
        """Answer one chunk; see the protocol.

        Raises:
            DataError: a prompt leaves no room for an answer, or cannot be said to a server that takes no token ids.
            EnvironmentFault: the servers are away for too long, refuse, or answer with other weights.
            Interrupted: a stop was asked for while the servers were away.
        """
        draws = [
            draw for position, prompt in enumerate(prompts) for draw in self._draws(prompt, position, sampling, seed)
        ]
        with (
            self.servers.connect(self._stop) as session,
            ThreadPoolExecutor(min(len(draws), MOST_THREADS), thread_name_prefix="draw") as threads,
        ):
            waiting = [threads.submit(self._draw, session, draw) for draw in draws]
            try:
                return [future.result() for future in waiting]
            except BaseException:
                session.closing.set()
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _draws(self, prompt: Prompt, position: int, sampling: Sampling, seed: int) -> list[_Draw]:
        ids = self._chat.prompt_ids(prompt.messages, prompt.tools)
        roots = self.servers.roots
        first = (seed + position) % len(roots)  # all answers to a prompt from one server, which then reads it once
        said: Sequence[int] | str = ids if self.speech.ids else self._as_text(prompt, ids)
        room = self._room(prompt, len(ids), sampling)
        return [
            _Draw(
                prompt,
                index,
                Question(
                    self._model,
                    said,
                    room,
                    sampling,
                    derive(seed, prompt.id, index) % SEED_RANGE,
                    self._chat.stop_ids,
                ),
                ids,
                (*roots[first:], *roots[:first]),
                seed,
            )
            for index in range(sampling.n)
        ]

    def _room(self, prompt: Prompt, length: int, sampling: Sampling) -> int:
        if self._context is None:
            return sampling.max_new_tokens
        if length >= self._context:
            raise DataError(
                f"prompt '{prompt.id}' has {length} tokens and the server's context is {self._context}: leave it out, "
                "shorten it, or start the server with a longer context (vLLM: --max-model-len)"
            )
        return min(sampling.max_new_tokens, self._context - length)

    def _as_text(self, prompt: Prompt, ids: list[int]) -> str:
        tokenizer = self._chat.tokenizer
        text: str = tokenizer.decode(ids, skip_special_tokens=False)
        if list(tokenizer(text, add_special_tokens=False)["input_ids"]) != ids:
            raise DataError(
                f"prompt '{prompt.id}' cannot be sent as text: it holds control tokens of the chat template, or text "
                "that the tokenizer does not give back. Leave it out, or use a server that takes token ids"
            )
        return text

    def _draw(self, session: Session, draw: _Draw) -> Completion:
        self._stop.check()

        def attempt(root: str) -> Completion:
            return self._completion(root, self._ask(session, root, draw.question), draw)

        return session.insist(draw.roots, "a completion", attempt)

    def _ask(self, session: Session, root: str, question: Question) -> Answer:
        try:
            content = session.ask(root, COMPLETIONS, question.body)
        except ServerRefusal as refusal:
            if refusal.status != 404 or self._adapter is None:
                raise
            load_adapter(session, root, self._adapter)  # the server was started anew and knows it no more
            content = session.ask(root, COMPLETIONS, question.body)
        answer = read_answer(root, content, question)
        if answer.choice.finish_reason == "abort":
            raise ServerAway(f"{root}: gave up a completion")
        return answer

    def _completion(self, root: str, answer: Answer, draw: _Draw) -> Completion:
        ids, text, ended = (self._in_ids if self.speech.ids else self._in_text)(root, answer, draw)
        logprobs = sampled_logprobs(answer.choice, len(ids)) if self.keeps_logprobs else ()
        if logprobs is None:
            raise EnvironmentFault(f"{root} returned no log-probabilities, which it did when it was first asked")
        return Completion(
            prompt_id=draw.prompt.id,
            index=draw.index,
            text=text,
            token_ids=tuple(ids),
            logprobs=logprobs,
            finish_reason=ended,
            seed=draw.chunk_seed,
        )

    def _in_ids(self, root: str, answer: Answer, draw: _Draw) -> tuple[list[int], str, Ending]:
        if answer.read_ids is not None and answer.read_ids != draw.prompt_ids:
            raise EnvironmentFault(f"{root} read other tokens than it was sent for prompt '{draw.prompt.id}'")
        ids = answer.choice.token_ids
        if ids is None:
            raise EnvironmentFault(f"{root} returned no token ids, which it did when it was first asked")
        return ids, self._chat.decode(ids), finish_reason(root, answer.choice, ids, draw.question)

    def _in_text(self, root: str, answer: Answer, draw: _Draw) -> tuple[list[int], str, Ending]:
        check_reading(root, answer, draw.prompt_ids)
        text = answer.choice.text
        ids = list(self._chat.tokenizer(text, add_special_tokens=False)["input_ids"])
        if answer.choice.finish_reason == "length":
            return ids, text, "length"
        return [*ids, *([self._chat.end_of_turn] if self._chat.end_of_turn is not None else [])], text, "stop"


def check_reading(root: str, answer: Answer, prompt_ids: Sequence[int]) -> None:
    """See that a server which takes text has cut it into as many tokens as we have.

    Raises:
        EnvironmentFault: it counted another number.
    """
    counted = answer.usage.prompt_tokens if answer.usage else None
    if counted is not None and counted != len(prompt_ids):
        raise EnvironmentFault(
            f"{root} read {counted} tokens where the chat template gives {len(prompt_ids)}: its tokenizer adds some, "
            "or is another one. Training would see other tokens than were sampled: use a server that takes token ids"
        )
