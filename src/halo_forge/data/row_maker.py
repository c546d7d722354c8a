"""One row of a dataset as one line of a file, or the reason why there is none."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic_core import PydanticSerializationError

from halo_forge.config.prepare import PrepareConfig
from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, Message, Prompt, Record
from halo_forge.data.catalog import Convert, Dataset, Part, Use
from halo_forge.data.chatml import render_chatml
from halo_forge.data.conversations import NO_QUESTION, NO_USE, why_unusable
from halo_forge.data.fields import shortened
from halo_forge.data.filters import make_filter
from halo_forge.data.hygiene import clean_row, is_harmless
from halo_forge.data.jsonl import LONGEST_LINE
from halo_forge.data.media import MediaStore
from halo_forge.data.messages import has_turn, make_message
from halo_forge.data.tables import BrokenRow, RawRow
from halo_forge.models.media import BadMedia

FILTERED = "that the filter leaves out"
OTHER_PART = "of another split"
MALFORMED = "that cannot be read"
TOO_LONG = f"of more than {LONGEST_LINE >> 20} MiB"


class _Text(Record):
    """A conversation written as one text."""

    id: str
    text: str


class Made(NamedTuple):
    """What a row came to.

    Args:
        id: of the row, as ours.
        line: its JSON and a line break; None where it is left out.
        reason: why it is left out, in words that fit behind a count.
        example: where and why, for a row that cannot be read.
        mended: what was mended in its texts.
        noted: what they hold that is left, as it does no harm.
    """

    id: str
    line: bytes | None
    reason: str | None = None
    example: str = ""
    mended: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()


class RowMaker:
    """Makes rows.

    Args:
        dataset: whose rows.
        source: where they come from, for texts.
        part: the split.
        use: what for.
        convert: how.
        config: filters, template and system turn.
    """

    def __init__(
        self, dataset: Dataset, source: str, part: Part, use: Use, convert: Convert, config: PrepareConfig
    ) -> None:
        self._source = source
        self._dataset, self._part, self._use, self._convert = dataset, part, use, convert
        self._wanted = make_filter(config.filters)
        self._filters = config.filters
        self._system = None if config.system_prompt is None else make_message("system", config.system_prompt)
        self._as_chatml = config.template != "messages"
        self._seen_one = False
        self.media = MediaStore(config.output, config.media_root, urls=config.media_urls)

    @property
    def columns(self) -> frozenset[str] | None:
        """The columns that are of use; None for all."""
        if self._dataset.every_column:
            return None
        return frozenset((*self._dataset.columns, *self._dataset.optional, *self._filters))

    def make(self, values: RawRow, index: int) -> Made:
        """Make a row of its values and its place in the split's files, from 0.

        Raises:
            DataError: the first row lacks a column.
        """
        name = f"{self._dataset.name}-{index}"
        if isinstance(values, BrokenRow):
            return Made(name, None, MALFORMED, values.detail)
        if not self._seen_one:
            self._check(values)
            self._seen_one = True
        try:
            return self._made(values, name)
        except BadMedia as error:
            return Made(name, None, str(error))
        except DataError as error:
            return Made(name, None, MALFORMED, f"row {index}: {error}")

    def _made(self, values: RawRow, id: str) -> Made:
        if self._part.own is not None and not self._part.own(values):
            return Made(id, None, OTHER_PART)
        if not self._wanted(values):
            return Made(id, None, FILTERED)
        for column, kind in self._dataset.media.items():
            values = {**values, column: self.media.store(kind, values.get(column))}
        for column, value in values.items():
            if isinstance(value, bytes):
                raise DataError(f"column {column!r} holds bytes, which are no media here: {shortened(value)}")
        row = self._convert(values, id)
        reason = NO_USE if row is None else self._unusable(row)
        if row is None or reason is not None:
            return Made(id, None, reason)
        row, mended, noted = _cleaned(row)
        line = self._line(self._with_system(row))
        if len(line) > LONGEST_LINE:
            return Made(id, None, TOO_LONG)
        return Made(row.id, line, mended=mended, noted=noted)

    def _unusable(self, row: Conversation | Prompt) -> str | None:
        if isinstance(row, Conversation):
            if self._use != "sft":
                raise DataError(
                    f"dataset '{self._dataset.name}' says that it is for {self._use}, but gives conversations"
                )
            return why_unusable(row.messages)
        if self._use == "sft":
            raise DataError(f"dataset '{self._dataset.name}' says that it is for sft, but gives prompts")
        return None if has_turn(row.messages, "user") else NO_QUESTION

    def _with_system(self, row: Conversation | Prompt) -> Conversation | Prompt:
        if self._system is None or any(message.role == "system" for message in row.messages):
            return row
        messages: tuple[Message, ...] = (self._system, *row.messages)
        return row.model_copy(update={"messages": messages})

    def _line(self, row: Conversation | Prompt) -> bytes:
        if isinstance(row, Conversation) and self._as_chatml:
            if row.tools:
                raise DataError("ChatML cannot carry tools: leave --template out")
            written: Record = _Text(id=row.id, text=render_chatml(row.messages))
        else:
            written = row
        return written.model_dump_json(exclude_defaults=True).encode() + b"\n"

    def _check(self, values: RawRow) -> None:
        missing = [column for column in (*self._dataset.columns, *self._filters) if column not in values]
        if missing:
            raise DataError(
                f"{self._source} lacks {', '.join(missing)} among its columns, now "
                f"{', '.join(values)}: give an older --revision, or describe it in a YAML file of your own"
            )


def _cleaned(row: Conversation | Prompt) -> tuple[Conversation | Prompt, tuple[str, ...], tuple[str, ...]]:
    """Mend the texts of a row; return it, what was mended, and what is only noted."""
    try:
        if is_harmless(row.model_dump_json(exclude_defaults=True).encode()):
            return row, (), ()
    except PydanticSerializationError:
        pass  # half of a surrogate pair
    cleaned = clean_row(_as_lists(row.model_dump(exclude_defaults=True)))
    if cleaned.mended:
        row = type(row).model_validate(cleaned.values)
    return row, cleaned.mended, cleaned.noted


def _as_lists(value: Any) -> Any:
    """Write tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _as_lists(item) for key, item in value.items()}
    return [_as_lists(item) for item in value] if isinstance(value, (list, tuple)) else value
