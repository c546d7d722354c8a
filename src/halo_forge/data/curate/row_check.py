"""Whether one row can be used, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from halo_forge.config.curate import ValidateConfig
from halo_forge.config.shared import LoadingOptions
from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, Prompt
from halo_forge.data.conversations import read_conversation, why_unusable
from halo_forge.data.curate.languages import programming_languages, script
from halo_forge.data.curate.texts import normalised, row_text
from halo_forge.data.fields import has, id_field
from halo_forge.data.hygiene import Broken, clean_line, clean_lines
from halo_forge.data.jsonl import JsonObject, Row
from halo_forge.data.prompts import read_prompt

if TYPE_CHECKING:
    from halo_forge.models.chat import ChatFormat

Kind = Literal["conversations", "prompts"]

DUPLICATE = "duplicate"
TOO_LONG_LINE = "line above 16 MiB"
UNUSABLE = "no usable row"
NO_TEMPLATE_FIT = "does not fit the chat template"


class Checked(NamedTuple):
    """What is found out about one line.

    Args:
        left_out: why it cannot be used; None if it can.
        detail: what exactly is wrong.
        mended: what is mended when it is read.
        noted: what deserves a word and is no fault.
        digest: hash of what it says, 16 bytes.
        id: the prompt's own id, which has to be the only one of the file.
        roles: who speaks, turn by turn.
        programming: languages that its fences name.
        script: what most of its letters are of.
        characters: its length.
        words: its length.
        tokens: its length by the model's tokenizer, if there is one.
        turns: role and text of each message, for the rows of a preview.
        rendered: the text the model reads, for the same and with a model.
    """

    left_out: str | None = None
    detail: str = ""
    mended: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()
    digest: bytes = b""
    id: str | None = None
    roles: tuple[str, ...] = ()
    programming: tuple[str, ...] = ()
    script: str = ""
    characters: int = 0
    words: int = 0
    tokens: int | None = None
    turns: tuple[tuple[str, str], ...] = ()
    rendered: str | None = None


class RowCheck:
    """Checks rows one by one.

    Raises:
        ModelError: the model's tokenizer cannot be used.
    """

    def __init__(self, kind: Kind, config: ValidateConfig) -> None:
        self._kind = kind
        self._config = config
        self._chat = _load_chat(config.model) if config.model is not None else None
        self._shown = 0

    def __call__(self, number: int, line: bytes) -> Checked:
        """Check one line; whatever it holds, no error comes of it."""
        row = clean_line(number, line)
        if isinstance(row, Broken):
            return Checked(left_out=row.reason, detail=row.detail)
        given = Row(number, row.values)
        try:
            record = read_conversation(given) if self._kind == "conversations" else read_prompt(given)
        except DataError as error:
            return Checked(left_out=UNUSABLE, detail=str(error), mended=row.mended)
        reason = why_unusable(record.messages) if isinstance(record, Conversation) else None
        if reason is not None:
            return Checked(left_out=reason, mended=row.mended)
        said = row_text(row.values)
        whole = f"{normalised(said.question)}\0{normalised(said.rest)}\0{said.beside}"
        text = "\n".join(message.text for message in record.messages)
        checked = Checked(
            mended=row.mended,
            noted=row.noted,
            digest=blake2b(whole.encode("utf-8", "replace"), digest_size=16).digest(),
            id=id_field(row.values) if isinstance(record, Prompt) else None,
            roles=tuple(message.role for message in record.messages),
            programming=tuple(sorted(programming_languages(text))),
            script=script(text),
            characters=len(text),
            words=len(text.split()),
        )
        return self._shown_in_preview(self._measured(checked, record), record)

    def _measured(self, checked: Checked, record: Conversation | Prompt) -> Checked:
        """Count the tokens as training and generation do."""
        if self._chat is None:
            return checked
        try:
            ids = _ids(record, self._chat)
        except DataError as error:
            return checked._replace(left_out=NO_TEMPLATE_FIT, detail=str(error))
        limit = self._config.max_length
        if limit is not None and len(ids) > limit:
            return checked._replace(left_out=f"longer than {limit} tokens", detail=f"{len(ids)} tokens")
        return checked._replace(tokens=len(ids))

    def _shown_in_preview(self, checked: Checked, record: Conversation | Prompt) -> Checked:
        if checked.left_out is not None or self._shown == self._config.preview:
            return checked
        self._shown += 1
        turns = tuple((message.role, message.text) for message in record.messages)
        rendered = None if self._chat is None else str(self._chat.tokenizer.decode(list(_ids(record, self._chat))))
        return checked._replace(turns=turns, rendered=rendered)


def kind_of(path: Path) -> Kind:
    """Tell what the rows of a file are by the first that is usable.

    Raises:
        DataError: there is no row.
    """
    rows = islice((row for row in clean_lines(path) if not isinstance(row, Broken)), 100)
    guesses = [guess_kind(row.values) for row in rows]
    if not guesses:
        raise DataError(f"{path} holds no rows; expected one JSON object a line")
    return next((guess for guess in guesses if guess is not None), "conversations")


def guess_kind(values: JsonObject) -> Kind | None:
    """Tell by its columns what a row is: prompts have a ground truth, or end with the user's turn."""
    if has(values, "test_list") or has(values, "test", "entry_point"):
        return "prompts"
    if has(values, "prompt", "completion") or has(values, "instruction", "output"):
        return "conversations"
    messages = values.get("messages")
    if isinstance(messages, list) and messages:
        last = messages[-1]
        return "prompts" if isinstance(last, dict) and last.get("role") == "user" else "conversations"
    if has(values, "prompt"):
        return "prompts"
    return "conversations" if has(values, "text") else None


def _ids(record: Conversation | Prompt, chat: ChatFormat) -> Sequence[int]:
    if isinstance(record, Prompt):
        return chat.prompt_ids(record.messages)
    return chat.conversation_row(record.messages).ids


def _load_chat(model: str) -> ChatFormat:
    from halo_forge.models.load import load_chat
    from halo_forge.models.resolve import resolve_model

    return load_chat(resolve_model(model), LoadingOptions())
