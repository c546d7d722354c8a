"""What flows through halo-forge: Prompt -> Completion -> Verdict -> Rollout -> Checkpoint.

All records are frozen, typed and serialisable: `record.model_dump_json()` writes one line of a run's files and
`Record.model_validate_json(line)` reads it back.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Record(BaseModel):
    """Base of everything that is written to disk; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TextPart(Record):
    """Text of a message that also holds images or audio."""

    text: str


class MediaPart(Record):
    """An image or a piece of audio in a message.

    Args:
        path: its file, absolute or relative to the folder of the data file.
        sha256: hash of the file's bytes, 64 hexadecimal digits; "" where it was not recorded.
    """

    kind: Literal["image", "audio"]
    path: str
    sha256: str = ""


Part = TextPart | MediaPart


class ToolCall(Record):
    """A call of a tool: its name, and its arguments by name."""

    name: str
    arguments: dict[str, JsonValue] = {}


class Message(Record):
    """One turn of a conversation.

    Args:
        content: what is said; parts in order where images or audio belong to it.
        tool_calls: what the assistant calls in this turn.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str | tuple[Part, ...]
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def text(self) -> str:
        """The content's text alone."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def media(self) -> tuple[MediaPart, ...]:
        """The content's images and audio, in order."""
        if isinstance(self.content, str):
            return ()
        return tuple(part for part in self.content if isinstance(part, MediaPart))


AnswerMetric = Literal["vqa", "anls", "relaxed", "choice", "number", "exact"]


def media_of(messages: Iterable[Message]) -> tuple[MediaPart, ...]:
    """The images and audio of a conversation, in order."""
    return tuple(part for message in messages for part in message.media)


class IoCase(Record):
    """One run of a whole program: what it reads and what it must print."""

    input: str
    output: str


class Reference(Record):
    r"""The ground truth of a prompt; the model never sees it and neither does the process that runs its code.

    Args:
        asserts: test statements, one each, such as `assert add(1, 2) == 3`.
        cases: standard input and the expected standard output of a whole program.
        check: source that defines `check(candidate)`, as in HumanEval (Chen et al. 2021).
        setup: trusted source that the tests need and that runs before them.
        entry_point: the function the tests call, or the symbol a compiled program must define.
        required: names that an answer must use in its code, comments and strings aside; without them it ignores the
            prompt.
        stub: source the completion may continue (HumanEval gives the head of the function as the prompt).
        solution: a known correct answer, for checking the tests themselves.
        answer: the final answer of a problem, such as `72` or `\frac{1}{2}`.
        answers: answers of which each is right, such as those of several annotators, in their order and repeated.
        choices: the options of a multiple-choice question, in order.
        metric: how an answer is compared, where the set it is of has a way of its own; see the verifier `vqa`.
        transcript: what is said in the audio.
        calls: the tool calls that are right, in whatever order; empty when no call is, None when calls are not asked
            for.
    """

    asserts: tuple[str, ...] = ()
    cases: tuple[IoCase, ...] = ()
    check: str | None = None
    setup: str = ""
    entry_point: str | None = None
    required: tuple[str, ...] = ()
    stub: str = ""
    solution: str | None = None
    answer: str | None = None
    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    metric: AnswerMetric | None = None
    transcript: str | None = None
    calls: tuple[ToolCall, ...] | None = None

    @property
    def has_tests(self) -> bool:
        """Whether anything beyond compiling can be checked."""
        return bool(self.asserts or self.cases or self.check)


class Prompt(Record):
    """A task for the model.

    Args:
        id: unique within its file; rollouts refer to it.
        messages: the conversation that ends with the user's turn.
        reference: what the verifier compares with.
        group: a label under which results are also reported apart, such as `unseen`.
        tools: the tools it may call, each a JSON schema as chat templates take them:
            `{"type": "function", "function": {"name", "description", "parameters"}}`.
    """

    id: str
    messages: tuple[Message, ...] = Field(min_length=1)
    reference: Reference = Reference()
    group: str | None = None
    tools: tuple[dict[str, JsonValue], ...] = ()


class Conversation(Record):
    """A supervised training row: turns of which the assistant's are learnt; `tools` as for a `Prompt`."""

    id: str
    messages: tuple[Message, ...] = Field(min_length=1)
    tools: tuple[dict[str, JsonValue], ...] = ()


class Sampling(Record):
    """How completions are drawn; nothing leaks in from a model's own generation_config.

    Args:
        n: completions a prompt.
        temperature: 0 decodes greedily.
        top_p: nucleus mass, 1 switches it off.
        top_k: number of candidates, 0 switches it off.
        max_new_tokens: tokens a completion at most, the stop token counted.
    """

    n: int = Field(default=8, ge=1)
    temperature: float = Field(default=0.7, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    max_new_tokens: int = Field(default=1024, ge=1)


class Completion(Record):
    """One answer of the policy.

    Args:
        prompt_id: the prompt it answers.
        index: 0 … n-1 among the answers to its prompt.
        text: decoded tokens without the stop token.
        token_ids: sampled tokens, the stop token included when there is one.
        logprobs: log-probability of each token under the distribution it was drawn from (after temperature,
            top-k and top-p; at temperature 0, under the model itself).
        finish_reason: `stop`, or `length` when it was cut at max_new_tokens.
        seed: the seed of the chunk it was drawn in.
        policy: the checkpoint that wrote it, such as `cycle_2`.
    """

    prompt_id: str
    index: int
    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    finish_reason: Literal["stop", "length"] = "stop"
    seed: int = 0
    policy: str = ""


class Stage(StrEnum):
    """How far verification went, in order."""

    PARSE = "parse"
    COMPILE = "compile"
    RUN = "run"
    TESTS = "tests"


class Verdict(Record):
    """What a verifier found.

    Args:
        reward: 0 to 1; None when it could not be verified, which is a fault of ours and never the model's.
        passed: everything that was asked for holds.
        stage: the last stage entered; `passed` says whether it ended well.
        detail: for a person: the compiler's first message, the test that failed, …; bounded in length.
        fault: why there is no reward; None when there is one.
        path: which of the verifier's ways judged it, where it has several, such as a stricter fallback; else `""`.
        scores: metric -> (amount, of how much), for figures beside the reward: a set's figure is the sum of the first
            over the sum of the second, such as (1, 1) for an answer that is right, or (edits, words).
        answer: what was answered in a form in which equal answers are equal, for majority votes; bounded in length,
            "" where there is none.
        repeatable: False when a limit on the clock decided it, which depends on how busy the machine was; such a
            verdict is not kept for later.
        wall_s: seconds on the clock.
        cpu_s: seconds of processor time of the compiler, the program and the judge.
        peak_memory_mb: largest process, MiB, where the sandbox reports it.
    """

    reward: float | None = Field(ge=0, le=1)
    passed: bool
    stage: Stage
    detail: str = ""
    fault: str | None = None
    path: str = ""
    scores: dict[str, tuple[float, float]] = {}
    answer: str = ""
    repeatable: bool = True
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_mb: float | None = None

    @property
    def compiled(self) -> bool:
        """Whether the program got through the compile stage (for Python: is valid syntax)."""
        return self.passed or self.stage in (Stage.RUN, Stage.TESTS)


class Rollout(Record):
    """A completion with its verdict: one line of `rollouts/cycle_N.jsonl`."""

    cycle: int
    chunk: int
    completion: Completion
    verdict: Verdict

    @property
    def prompt_id(self) -> str:
        """The prompt it answers."""
        return self.completion.prompt_id


class Checkpoint(Record):
    """`checkpoint.json`, written last into a checkpoint folder: its presence says that the folder is whole.

    Args:
        kind: `adapter` (LoRA weights beside a base model) or `full`.
        base_model: the Hub id or folder an adapter belongs to; for `full`, the model that training started from.
        run_id: the run that made it.
        cycle: RAFT cycle, 0 for SFT.
        step: optimiser steps taken in the run.
        metrics: figures measured on the held-out slice, if any.
    """

    kind: Literal["adapter", "full"]
    base_model: str
    run_id: str
    cycle: int
    step: int
    metrics: dict[str, float] = {}
