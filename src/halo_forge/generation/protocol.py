"""What is said to a server and what it says: `/v1/models` and `/v1/completions`.

Fields beyond OpenAI's protocol are vLLM's, most of which SGLang has too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field, JsonValue, ValidationError

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.types import Sampling

Ending = Literal["stop", "length"]
MODELS, COMPLETIONS = "/v1/models", "/v1/completions"


class ModelCard(BaseModel):
    """One entry of `/v1/models`; an adapter has a parent."""

    id: str
    owned_by: str = ""
    parent: str | None = None
    max_model_len: int | None = None


class ModelList(BaseModel):
    """The answer of `/v1/models`."""

    data: list[ModelCard]


class TokenLogprobs(BaseModel):
    """Log-probabilities of the sampled tokens."""

    token_logprobs: list[float | None] = Field(default_factory=list)


class Choice(BaseModel):
    """One completion of a request."""

    text: str = ""
    finish_reason: str | None = None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    logprobs: TokenLogprobs | None = None


class Usage(BaseModel):
    """Tokens as the server counted them."""

    prompt_tokens: int | None = None


class Answer(BaseModel):
    """The answer of `/v1/completions`."""

    model: str
    choices: list[Choice] = Field(min_length=1, max_length=1)
    usage: Usage | None = None
    prompt_token_ids: list[int] | None = None

    @property
    def choice(self) -> Choice:
        """The one completion that was asked for."""
        return self.choices[0]

    @property
    def read_ids(self) -> list[int] | None:
        """Ids of the prompt as the server read it, where it tells."""
        return self.prompt_token_ids or self.choice.prompt_token_ids


class Question(NamedTuple):
    """A request for one completion.

    Args:
        model: name of the weights that must answer.
        prompt: token ids (P,), or text for a server that takes no ids.
        max_tokens: tokens of the completion at most, the stop token counted.
        stop_ids: tokens that end it.
    """

    model: str
    prompt: Sequence[int] | str
    max_tokens: int
    sampling: Sampling
    seed: int
    stop_ids: frozenset[int]

    @property
    def body(self) -> dict[str, JsonValue]:
        """The request in JSON: every sampling parameter is spelt out, or the server would fill in the model's own."""
        sampling = self.sampling
        return {
            "model": self.model,
            "prompt": self.prompt if isinstance(self.prompt, str) else list(self.prompt),
            "max_tokens": self.max_tokens,
            "n": 1,
            "seed": self.seed,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k or -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "stop_token_ids": [*sorted(self.stop_ids)],
            "skip_special_tokens": True,
            "add_special_tokens": False,
            "return_token_ids": True,
            "logprobs": 1,
        }


def read_models(root: str, content: JsonValue) -> ModelList:
    """Read the answer of `/v1/models`.

    Raises:
        EnvironmentFault: it is of another form.
    """
    try:
        return ModelList.model_validate(content)
    except ValidationError as error:
        raise EnvironmentFault(
            f"{root}{MODELS} does not answer as OpenAI's protocol has it ({_first(error)}): check --base-url"
        ) from error


def read_answer(root: str, content: JsonValue, question: Question) -> Answer:
    """Read the answer to a question, and see that the weights asked for gave it.

    Raises:
        EnvironmentFault: it is of another form, or other weights answered.
    """
    try:
        answer = Answer.model_validate(content)
    except ValidationError as error:
        raise EnvironmentFault(
            f"{root}{COMPLETIONS} does not answer as OpenAI's protocol has it ({_first(error)})"
        ) from error
    if answer.model != question.model:
        raise EnvironmentFault(
            f"{root} answered with the weights '{answer.model}' where '{question.model}' were asked for: nothing of "
            "this answer is used. Something stands between that swaps models, or another run changed the server's"
        )
    return answer


def finish_reason(root: str, choice: Choice, ids: Sequence[int], question: Question) -> Ending:
    """Say how sampled tokens ended, and see that they are a completion as we define it.

    Raises:
        EnvironmentFault: it stopped at a token that ends no turn, ran past one, or was cut early.
    """
    ends = [position for position, token in enumerate(ids) if token in question.stop_ids]
    if ends == [len(ids) - 1]:
        return "stop"
    if ends:
        raise EnvironmentFault(
            f"{root} went on after token {ids[ends[0]]}, which ends a turn: it does not heed stop_token_ids"
        )
    if choice.finish_reason == "length" and len(ids) == question.max_tokens:
        return "length"
    if choice.finish_reason == "length":
        raise EnvironmentFault(
            f"{root} cut a completion at {len(ids)} tokens where {question.max_tokens} were asked for: start vLLM with "
            "--generation-config vllm, so that a limit in the model's own generation_config does not count"
        )
    raise EnvironmentFault(
        f"{root} ended a completion ('{choice.finish_reason}') at token {ids[-1] if ids else None}, where "
        f"{sorted(question.stop_ids)} end a turn of this model's chat template: the server has another tokenizer or "
        "end-of-sequence token"
    )


def sampled_logprobs(choice: Choice, count: int) -> tuple[float, ...] | None:
    """Log-probabilities of the sampled tokens, or None where the server gives none or not one for each."""
    given = choice.logprobs.token_logprobs if choice.logprobs else []
    values = tuple(value for value in given if value is not None and math.isfinite(value))
    return values if len(values) == count == len(given) else None


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}" if place else problem["msg"]
