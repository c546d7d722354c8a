"""Prompts with their ground truth, for RAFT cycles and benchmarks."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from json import dumps
from pathlib import Path

from halo_forge.core.errors import DataError
from halo_forge.core.types import Message, Prompt
from halo_forge.data.draw import draw
from halo_forge.data.fields import has, id_field, known_keys, shortened, text_field
from halo_forge.data.jsonl import Row
from halo_forge.data.messages import make_message, turns_field
from halo_forge.data.parts import anchored, read_audio, read_tools, without_places
from halo_forge.data.references import read_task
from halo_forge.data.source import parse_rows


def load_prompts(
    path: Path, *, max_prompts: int | None = None, seed: int = 0, system_prompt: str | None = None
) -> list[Prompt]:
    """Read prompts from a file of any format.

    A row holds `prompt` (a text, or a list of messages), or `messages` that end with the user's turn, or `audio` (a
    file's name). `id`, else `task_id`, names it, else `line-N`; `group` labels it. Its ground truth is recognised by
    columns: HumanEval's, MBPP's, `tests` with `entry_point`, `setup` and `solution`, `answer`, `calls` (with the row's
    `tools`), `transcript` (with audio also `text`), or a serialised `reference`. Other columns are left.

    Args:
        max_prompts: take at most so many, drawn by the seed and kept in the file's order.
        system_prompt: put before every prompt that has no system turn.

    Raises:
        DataError: the file cannot be used; the text names the line.
    """
    prompts: list[Prompt] = []
    first_use: dict[str, int] = {}
    for line, prompt in parse_rows(path, read_prompt):
        if prompt.id in first_use:
            earlier = first_use[prompt.id]
            raise DataError(f"{path}, line {line}: id {shortened(prompt.id)} is that of line {earlier} already")
        first_use[prompt.id] = line
        prompts.append(anchored(prompt, path.parent))
    return [_with_system(prompt, system_prompt) for prompt in draw(prompts, max_prompts, seed)]


def read_prompt(row: Row) -> Prompt:
    """Make a prompt of one row.

    Raises:
        DataError: it has no prompt, or a column that matters cannot be used.
    """
    values = row.values
    task = read_task(values)
    heard = None if has(values, "prompt") or has(values, "messages") else read_audio(values)
    if heard is not None:
        messages: tuple[Message, ...] = (make_message("user", heard),)
    elif task.instruction is not None:
        messages = (make_message("user", task.instruction),)
    elif not has(values, "prompt") and not has(values, "messages"):
        raise DataError(f"no 'prompt' and no 'messages' in the row (columns it has: {known_keys(values)})")
    else:
        messages = turns_field(values, "prompt" if has(values, "prompt") else "messages", "user")
    if messages[-1].role != "user":
        raise DataError(f"the messages must end with the user's turn, but the last is the {messages[-1].role}'s")
    if not messages[-1].text.strip() and not messages[-1].media:
        raise DataError("the prompt is blank")
    return Prompt(
        id=id_field(values) or f"line-{row.line}",
        messages=messages,
        reference=task.reference,
        group=text_field(values, "group"),
        tools=read_tools(values),
    )


def prompts_hash(prompts: Iterable[Prompt]) -> str:
    """Hash what a benchmark result depends on: ids, messages and references, in whatever order.

    Groups are labels and do not count, and media count by their content and not by where they lie. A field at its
    default does not count either, so that a field which a later version adds leaves the hash of today's files as it is.

    Returns:
        64 hexadecimal digits.
    """
    digests = sorted(sha256(_canonical(prompt).encode()).hexdigest() for prompt in prompts)
    return sha256("\n".join(digests).encode()).hexdigest()


def _canonical(prompt: Prompt) -> str:
    content = without_places(prompt).model_dump(mode="json", exclude={"group"}, exclude_defaults=True)
    return dumps(content, sort_keys=True)


def _with_system(prompt: Prompt, system_prompt: str | None) -> Prompt:
    if system_prompt is None or any(message.role == "system" for message in prompt.messages):
        return prompt
    return prompt.model_copy(update={"messages": (make_message("system", system_prompt), *prompt.messages)})
