"""Whether one row can be used, and what there is to say about it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from halo_forge.config.curate import ValidateConfig
from halo_forge.config.shared import LoadingOptions
from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, Prompt
from halo_forge.data.conversations import NO_ANSWER, NO_QUESTION, read_conversation, why_unusable
from halo_forge.data.curate.chunks import Chunk, read_chunks
from halo_forge.data.curate.languages import programming_languages, script
from halo_forge.data.curate.texts import count_words, normalised, row_text
from halo_forge.data.fields import has, id_field
from halo_forge.data.hygiene import Broken, clean_line
from halo_forge.data.jsonl import JsonObject, Row
from halo_forge.data.messages import ROLES
from halo_forge.data.prompts import read_prompt
from halo_forge.data.tables import has_lines

if TYPE_CHECKING:
    from halo_forge.models.chat import ChatFormat

Kind = Literal["conversations", "prompts"]

DUPLICATE = "duplicate"
ID_USED = "id used before"
TOO_LONG_LINE = "line above 16 MiB"
UNUSABLE = "no usable row"
ROWS_LOOKED_AT = 100
DIGEST_BYTES = 16
NO_DIGEST = bytes(DIGEST_BYTES)
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


class Shape(NamedTuple):
    """What many rows have in common."""

    roles: tuple[str, ...]
    programming: tuple[str, ...]
    script: str


class CheckedChunk(NamedTuple):
    """What is found out about the N rows of a chunk, in columns, since most rows have nothing of their own to say.

    Args:
        digests: of what each says, 16 bytes one after the other.
        ids: hash of each prompt's own id, None where it has none; empty where no row has one.
        singled_out: place -> rows that are left out, mended, noted or shown.
        shapes: the different ones.
        columns: `shape` (place of a row's own among the shapes, or -1 for a row that is left out), `characters`,
            `words` and with a model `tokens` -> one number a row.
    """

    digests: bytes
    ids: list[bytes | None]
    singled_out: dict[int, Checked]
    shapes: list[Shape]
    columns: dict[str, array[int]]


def check_chunk(check: RowCheck, chunk: Chunk) -> CheckedChunk:
    """Check the rows of a chunk."""
    rows = [check(number, line) for number, line in zip(chunk.numbers, chunk.lines, strict=True)]
    shapes: dict[Shape, int] = {}
    columns: dict[str, array[int]] = {name: array("q") for name in ("shape", "characters", "words")}
    for row in rows:
        shape = Shape(row.roles, row.programming, row.script)
        columns["shape"].append(-1 if row.left_out is not None else shapes.setdefault(shape, len(shapes)))
        columns["characters"].append(row.characters)
        columns["words"].append(row.words)
    if any(row.tokens is not None for row in rows):
        columns["tokens"] = array("q", (row.tokens or 0 for row in rows))
    ids = (
        [None if row.id is None else _id_digest(row.id) for row in rows]
        if any(row.id is not None for row in rows)
        else []
    )
    singled_out = {
        place: row for place, row in enumerate(rows) if row.left_out is not None or row.mended or row.noted or row.turns
    }
    return CheckedChunk(
        b"".join([row.digest or NO_DIGEST for row in rows]), ids if any(ids) else [], singled_out, list(shapes), columns
    )


def _id_digest(id: str) -> bytes:
    return blake2b(id.encode("utf-8", "replace"), digest_size=8).digest()


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
        turns = _plain_turns(row.values) if self._reads_plainly else None
        record: Conversation | Prompt | None = None
        try:
            if turns is None:
                given = Row(number, row.values)
                record = read_conversation(given) if self._kind == "conversations" else read_prompt(given)
                turns = [(message.role, message.text) for message in record.messages]
                reason = why_unusable(record.messages) if isinstance(record, Conversation) else None
            else:
                id_field(row.values)
                reason = _why_unusable(turns)
        except DataError as error:
            return Checked(left_out=UNUSABLE, detail=str(error), mended=row.mended)
        if reason is not None:
            return Checked(left_out=reason, mended=row.mended)
        said = row_text(row.values)
        whole = f"{normalised(said.question)}\0{normalised(said.rest)}\0{said.beside}"
        text = "\n".join([text for _, text in turns])
        checked = Checked(
            mended=row.mended,
            noted=row.noted,
            digest=blake2b(whole.encode("utf-8", "replace"), digest_size=DIGEST_BYTES).digest(),
            id=id_field(row.values) if isinstance(record, Prompt) else None,
            roles=tuple([role for role, _ in turns]),
            programming=tuple(sorted(programming_languages(text))),
            script=script(text),
            characters=len(text),
            words=count_words(text),
        )
        return checked if record is None else self._shown_in_preview(self._measured(checked, record), record)

    @property
    def _reads_plainly(self) -> bool:
        """Whether a row need not be made a record of: nobody wants to see its tokens or its text."""
        return self._kind == "conversations" and self._chat is None and self._shown == self._config.preview

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


def _plain_turns(values: JsonObject) -> list[tuple[str, str]] | None:
    """Return roles and texts of a row of plain messages, which are most; None for a row that is to be read in full."""
    listed = values.get("messages")
    if not isinstance(listed, list) or not listed or values.get("tools") is not None:
        return None
    turns = []
    for turn in listed:
        if not isinstance(turn, dict) or turn.get("tool_calls") is not None:
            return None
        role, content = turn.get("role"), turn.get("content")
        if not isinstance(role, str) or role not in ROLES or not isinstance(content, str):
            return None
        turns.append((role, content))
    return turns


def _why_unusable(turns: Sequence[tuple[str, str]]) -> str | None:
    """As `why_unusable`, of texts alone."""
    speakers = {role for role, text in turns if text and not text.isspace()}
    if "assistant" not in speakers:
        return NO_ANSWER
    return None if "user" in speakers else NO_QUESTION


def kind_of(path: Path) -> Kind:
    """Tell what the rows of a file are by the first that is usable.

    Raises:
        DataError: there is no row.
    """
    lines = (line for chunk in read_chunks(path) for line in chunk.lines)
    rows = (row for line in lines if not isinstance(row := clean_line(0, line), Broken))
    guesses = [guess_kind(row.values) for row in islice(rows, ROWS_LOOKED_AT)]
    if not guesses:
        raise DataError(f"{path} holds no rows" + ("; expected one JSON object a line" if has_lines(path.name) else ""))
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
    from halo_forge.models.preview import load_chat
    from halo_forge.models.resolve import resolve_model

    return load_chat(resolve_model(model), LoadingOptions())
