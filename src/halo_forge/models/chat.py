"""From messages to token ids, by the model's own chat template, and which of them are learnt.

Control tokens inside somebody's text are encoded as ordinary text: a prompt cannot close its own turn
(`halo_forge.models.controls`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from halo_forge.core.errors import DataError, ModelError
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.types import Message
from halo_forge.models.controls import ControlTokens
from halo_forge.models.renderers.base import Misfit
from halo_forge.models.tool_format import CALL_CLOSE, CALL_OPEN, Tools, as_tool_call, writes_calls, written_out

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


class TemplateRewritesError(Misfit):
    """The chat template changes earlier turns when later ones follow, so that no prefix can be masked."""

    def __init__(self) -> None:
        super().__init__("whose earlier turns the chat template rewrites")


class ChatFormat:
    """A tokenizer with its chat template.

    Args:
        tokenizer: a `transformers` tokenizer.
        template: a Jinja file, `chatml`, or None for the tokenizer's own.
        extra_stop_ids: further tokens that end a turn, such as those of the model's generation_config.

    Raises:
        ModelError: there is no template, or it writes no assistant's turn.
    """

    def __init__(self, tokenizer: Any, template: str | None = None, extra_stop_ids: Sequence[int] = ()) -> None:
        self.tokenizer = tokenizer
        if template is not None:
            tokenizer.chat_template = _read_template(template)
        if not tokenizer.chat_template:
            raise ModelError(
                f"the tokenizer of '{tokenizer.name_or_path}' has no chat template: "
                "give --chat-template chatml, or a Jinja file, or use the model's instruct version"
            )
        self.end_of_turn, around_turns = self._find_turn_tokens()
        self._controls = ControlTokens(tokenizer, around_turns)
        self.tools_natively = writes_calls(tokenizer)
        self._kept_ids = self._find_special_marks()
        ends = {self.end_of_turn, tokenizer.eos_token_id, *extra_stop_ids}
        self.stop_ids: frozenset[int] = frozenset(end for end in ends if end is not None)
        pad = tokenizer.pad_token_id
        self.pad_id: int = pad if pad is not None else min(self.stop_ids, default=0)

    def turns(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Write messages as the chat template takes them.

        Raises:
            DataError: a message holds what this model does not take.
        """
        return write_turns(messages)

    def prompt_ids(self, messages: Sequence[Message], tools: Tools = ()) -> list[int]:
        """Ids of a conversation up to where the assistant answers; see `tool_format` for how tools are shown."""
        return self._render(messages, tools, add_generation_prompt=True)

    def completion_row(self, messages: Sequence[Message], token_ids: Sequence[int], tools: Tools = ()) -> TrainingRow:
        """A row that learns exactly the sampled tokens after a prompt."""
        prompt = self.prompt_ids(messages, tools)
        return TrainingRow((*prompt, *token_ids), (False,) * len(prompt) + (True,) * len(token_ids))

    def conversation_row(self, messages: Sequence[Message], tools: Tools = ()) -> TrainingRow:
        """A row that learns the assistant's turns, each with the token that ends it, and nothing else.

        Raises:
            TemplateRewritesError: the template does not keep earlier turns as they were.
            DataError: the mask came out empty or full.
        """
        ids: list[int] = []
        learn: list[bool] = []
        for position, message in enumerate(messages):
            if message.role != "assistant":
                continue
            prompt = self.prompt_ids(messages[:position], tools) if position else []
            if prompt[: len(ids)] != ids:
                raise TemplateRewritesError
            answer = self._answer_ids(prompt, messages[: position + 1], tools)
            learn += [False] * (len(prompt) - len(ids)) + [True] * len(answer)
            ids = prompt + answer
        if not any(learn) or all(learn):
            raise DataError(
                f"the loss mask of a conversation is {'full' if ids and all(learn) else 'empty'}: it needs an "
                "assistant's turn to learn and something before it that is not; check its roles and the chat template"
            )
        return TrainingRow(tuple(ids), tuple(learn))

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of a completion, without the token that ended it."""
        ids = list(token_ids)
        if ids and ids[-1] in self.stop_ids:
            ids.pop()
        if self._kept_ids:
            hidden = set(self.tokenizer.all_special_ids) - self._kept_ids
            whole: str = self.tokenizer.decode([token for token in ids if token not in hidden])
            return whole
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def save(self, folder: Path) -> None:
        """Write the tokenizer with its template."""
        self.tokenizer.save_pretrained(folder)

    def _find_special_marks(self) -> frozenset[int]:
        """The marks of tool calls that the tokenizer counts among its special tokens, which decoding would drop."""
        added = self.tokenizer.added_tokens_decoder
        marks = {token for token, found in added.items() if found.content in (CALL_OPEN, CALL_CLOSE) and found.special}
        return frozenset(marks)

    def _answer_ids(self, prompt: list[int], messages: Sequence[Message], tools: Tools) -> list[int]:
        """Ids of the last turn after its header; cut after the end of the turn (templates add a line break)."""
        whole = self._render(messages, tools, add_generation_prompt=False)
        if whole[: len(prompt)] == prompt:
            answer = whole[len(prompt) :]
        else:  # the header's last token merged with the text's first: encode apart, as sampling sees it
            answer = self._remainder(messages, tools)
        ends = [index for index, token in enumerate(answer) if token == self.end_of_turn]
        return answer[: ends[-1] + 1] if ends else answer

    def _remainder(self, messages: Sequence[Message], tools: Tools) -> list[int]:
        turns, shown, marks = self._guarded(messages, tools)
        before = self._write(turns[:-1], shown, add_generation_prompt=True)
        whole = self._write(turns, shown, add_generation_prompt=False)
        if not whole.startswith(before):
            raise TemplateRewritesError
        return self._controls.encode(whole[len(before) :], marks)

    def _find_turn_tokens(self) -> tuple[int | None, frozenset[int]]:
        """Find the token that ends the assistant's turn, and those around a user's turn with that one."""
        probe = write_turns([Message(role="user", content="a"), Message(role="assistant", content="b")])
        question, prompt, whole = (
            self.tokenizer.encode(self._write(turns, None, add_generation_prompt=asks), add_special_tokens=False)
            for turns, asks in ((probe[:1], False), (probe[:1], True), (probe, False))
        )
        if len(whole) <= len(prompt) or whole[: len(prompt)] != prompt:
            raise ModelError(
                f"the chat template of '{self.tokenizer.name_or_path}' does not write an assistant's turn after its "
                "generation prompt, so no loss mask can be made; give another --chat-template"
            )
        added = self.tokenizer.added_tokens_decoder
        end = next((token for token in whole[len(prompt) :] if token in added), self.tokenizer.eos_token_id)
        return end, frozenset(token for token in (*question, end) if token in added)

    def _render(self, messages: Sequence[Message], tools: Tools, *, add_generation_prompt: bool) -> list[int]:
        turns, shown, marks = self._guarded(messages, tools)
        return self._controls.encode(self._write(turns, shown, add_generation_prompt=add_generation_prompt), marks)

    def _guarded(self, messages: Sequence[Message], tools: Tools) -> tuple[list[dict[str, Any]], list[Any] | None, str]:
        """Turns and tools as the template takes them, and the marks around control tokens in their texts."""
        if not self.tools_natively:
            turns, marks = self._controls.guard(self.turns(written_out(messages, tools)))
            return turns, None, marks
        # Tools are guarded as what a tool says is: whoever wrote the row named and described them.
        (*turns, said), marks = self._controls.guard([*self.turns(messages), {"role": "tool", "tools": list(tools)}])
        return turns, said["tools"] or None, marks

    def _write(self, turns: list[dict[str, Any]], tools: list[Any] | None, *, add_generation_prompt: bool) -> str:
        text: str = self.tokenizer.apply_chat_template(
            turns, tools=tools, tokenize=False, add_generation_prompt=add_generation_prompt
        )
        return text


def write_turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Write messages as chat templates take them.

    Raises:
        DataError: a message holds media, which need a processor and not a tokenizer.
    """
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.media:
            kinds = sorted({part.kind for part in message.media})
            raise DataError(f"a message holds {' and '.join(kinds)}, but this model reads text only")
        turn: dict[str, Any] = {"role": message.role, "content": message.text}
        if message.tool_calls:
            turn["tool_calls"] = [as_tool_call(call) for call in message.tool_calls]
        turns.append(turn)
    return turns


def _read_template(template: str) -> str:
    if template == "chatml":
        return CHATML
    try:
        return Path(template).read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(
            f"--chat-template {template}: {error.strerror}; give a Jinja file, or the word chatml"
        ) from error
