"""A dataset of the user's own, described in a YAML file.

    hub_id: owner/name          # or path: rows.parquet, or a pattern such as data/*.csv, from the YAML file's folder
    domain: reasoning           # code, reasoning, audio, vlm or agentic
    use: rlvr                   # sft, rlvr or benchmark
    files: data/train-*.parquet # of the repository; without it all tables whose names hold the split's
    split: train
    licence: mit
    columns: {prompt: question, answer: final_answer}

`columns` names, for a column as halo-forge reads it, the dataset's: `prompt`, `messages`, `completion`, `instruction`,
`input`, `output`, `text`, `id`, `group`, `tests`, `entry_point`, `setup`, `solution`, `tools`, `answer`, `answers`,
`choices`, `transcript`, `image`, `audio`. Columns that are not named keep their own names.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError, model_validator

from halo_forge.core.errors import ConfigError, DataError
from halo_forge.core.types import Conversation, Message, Prompt
from halo_forge.data.catalog import Convert, Dataset, Domain, MediaKind, Part, Use
from halo_forge.data.conversations import read_conversation
from halo_forge.data.fields import id_field, text_field, texts_field
from halo_forge.data.jsonl import JsonObject, Row
from halo_forge.data.parts import read_content
from halo_forge.data.prompts import read_prompt
from halo_forge.data.tables import FORMATS

ENDINGS = (".yaml", ".yml")
TRUTHS: tuple[Literal["answer", "transcript"], ...] = ("answer", "transcript")
SEVERAL: tuple[Literal["answers", "choices"], ...] = ("answers", "choices")
# Stands for the words of a prompt that has none besides its image or audio.
MEDIA_ALONE = "(media)"
MEDIA: tuple[MediaKind, ...] = ("image", "audio")


class OwnDataset(BaseModel):
    """The content of such a file; see the module."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    hub_id: str | None = None
    path: str | None = None
    domain: Domain = "code"
    use: Use = "sft"
    files: str | tuple[str, ...] = ()
    split: str = "train"
    revision: str | None = None
    licence: str = "unknown"
    rows: int = 0
    columns: dict[str, str] = {}

    @model_validator(mode="after")
    def _one_place(self) -> OwnDataset:
        if (self.hub_id is None) == (self.path is None):
            raise ValueError("give either hub_id (owner/name) or path (a file or a pattern)")
        return self


def read_own(file: Path) -> Dataset:
    """Return the dataset that a YAML file describes.

    Raises:
        ConfigError: there is no such file, it is not YAML, or a key of it is wrong.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        own = OwnDataset.model_validate(content)
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = f"; the keys are {', '.join(OwnDataset.model_fields)}"
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{file}{f', {key}' if key else ''}: {message}{known}") from error
    return _dataset(own, file)


def own_table(path: Path) -> Dataset:
    """Return a dataset of one local table, whose columns have the names that halo-forge knows.

    It is for what its first rows are, conversations or prompts, and `--use` may say otherwise.

    Raises:
        DataError: it cannot be read, or holds no rows.
    """
    from halo_forge.data.curate.row_check import kind_of

    use: Use = "sft" if kind_of(path) == "conversations" else "rlvr"
    dataset = _dataset(OwnDataset(name=path.stem, path=str(path.resolve()), use=use), path)
    reads = _Renamed({})
    uses: dict[Use, Convert] = {"sft": reads.conversation, "rlvr": reads.prompt, "benchmark": reads.prompt}
    return replace(dataset, also={other: convert for other, convert in uses.items() if other != use})


def _dataset(own: OwnDataset, file: Path) -> Dataset:
    renamed = _Renamed(own.columns)
    return Dataset(
        name=own.name or file.stem,
        domain=own.domain,
        use=own.use,
        hub_id=own.hub_id,
        config=None,
        split=own.split,
        splits={own.split: Part(_files(own, file))},
        licence=own.licence,
        rows=own.rows,
        gated=False,
        columns=tuple(own.columns.values()),
        convert=renamed.conversation if own.use == "sft" else renamed.prompt,
        media={own.columns[kind]: kind for kind in MEDIA if kind in own.columns},
        revision=own.revision,
        every_column=True,
    )


def _files(own: OwnDataset, file: Path) -> tuple[str, ...]:
    if own.path is not None:
        return (str(file.parent.resolve() / own.path),)
    if own.files:
        return (own.files,) if isinstance(own.files, str) else own.files
    return tuple(f"**/*{own.split}*{ending}" for ending in FORMATS) + tuple(f"**/*{ending}" for ending in FORMATS)


class _Renamed:
    """Reads rows after giving their columns the names that halo-forge knows.

    Args:
        columns: our name -> the dataset's.
    """

    def __init__(self, columns: dict[str, str]) -> None:
        self._columns = columns

    def conversation(self, values: JsonObject, id: str) -> Conversation:
        """Make a conversation of a row."""
        row = read_conversation(Row(0, self._named(values, id)))
        messages = self._with_media(row.messages, values)
        return row if messages is row.messages else row.model_copy(update={"messages": messages})

    def prompt(self, values: JsonObject, id: str) -> Prompt:
        """Make a prompt of a row, with whatever truth its columns hold."""
        named = self._named(values, id)
        prompt = read_prompt(Row(0, named))
        truth: dict[str, object] = {key: _answer(named, key) for key in TRUTHS if named.get(key) is not None}
        truth |= {key: texts_field(named, key) for key in SEVERAL if named.get(key) is not None}
        reference = prompt.reference.model_copy(update=truth)
        return prompt.model_copy(update={"messages": self._with_media(prompt.messages, values), "reference": reference})

    def _named(self, values: JsonObject, id: str) -> JsonObject:
        taken = set(self._columns.values())
        named: JsonObject = {key: value for key, value in values.items() if key not in taken}
        for ours, theirs in self._columns.items():
            named[ours] = values.get(theirs)
        if self._columns.keys() & {*MEDIA} and not any(named.get(key) for key in ("prompt", "messages")):
            named["prompt"] = MEDIA_ALONE
        return named if id_field(named) else {**named, "id": id}

    def _with_media(self, messages: tuple[Message, ...], values: JsonObject) -> tuple[Message, ...]:
        given: list[JsonValue] = [values[self._columns[kind]] for kind in MEDIA if kind in self._columns]
        if not given:
            return messages
        place = next((index for index, message in enumerate(messages) if message.role == "user"), 0)
        said = messages[place].text
        text: list[JsonValue] = [] if said == MEDIA_ALONE else [{"text": said}]
        content = read_content([*given, *text], "image or audio")
        asked = messages[place].model_copy(update={"content": content})
        return (*messages[:place], asked, *messages[place + 1 :])


def _answer(values: JsonObject, key: str) -> str:
    value = values.get(key)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    text = text_field(values, key)
    if not text or not text.strip():
        raise DataError(f"{key!r} is blank")
    return text
