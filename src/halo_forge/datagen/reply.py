"""What servers answer, read with care: a field that is missing or wrong is told, and never believed."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import JsonValue

from halo_forge.datagen.ledger import Finish

OPENAI_FINISHES: dict[object, Finish] = {"stop": "stop", "length": "length", "content_filter": "refused"}
ANTHROPIC_FINISHES: dict[object, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}


class UnreadableReply(ValueError):
    """A body that is not what the protocol says."""


class Reply(NamedTuple):
    """An answer.

    Args:
        tokens_in: of the prompt; None where the server did not tell a number that can be true.
        tokens_out: of the answer, thoughts included; likewise.
    """

    text: str
    finish: Finish
    model: str
    tokens_in: int | None
    tokens_out: int | None


def read_openai(body: JsonValue) -> Reply:
    """Read a chat completion of OpenAI's protocol.

    Raises:
        UnreadableReply: it has no first choice with a message.
    """
    choices = _object(body).get("choices")
    if not isinstance(choices, list) or not choices:
        raise UnreadableReply("no choices in the reply")
    choice = _object(choices[0])
    message = _object(choice.get("message"))
    text = message.get("content")
    if message.get("refusal") and not text:
        return _reply(body, "", "refused", "prompt_tokens", "completion_tokens")
    if text is not None and not isinstance(text, str):
        raise UnreadableReply("the content of the message is not a text")
    finish = OPENAI_FINISHES.get(choice.get("finish_reason"), "unknown")
    return _reply(body, text or "", finish, "prompt_tokens", "completion_tokens")


def read_anthropic(body: JsonValue) -> Reply:
    """Read a message of Anthropic's protocol.

    Raises:
        UnreadableReply: it has no list of blocks.
    """
    values = _object(body)
    blocks = values.get("content")
    if not isinstance(blocks, list):
        raise UnreadableReply("no content in the reply")
    texts = [block.get("text") for block in blocks if isinstance(block, dict) and block.get("type") == "text"]
    finish = ANTHROPIC_FINISHES.get(values.get("stop_reason"), "unknown")
    text = "".join(part for part in texts if isinstance(part, str))
    cached = ("cache_creation_input_tokens", "cache_read_input_tokens")
    return _reply(body, text, finish, "input_tokens", "output_tokens", cached)


def _reply(body: JsonValue, text: str, finish: Finish, key_in: str, key_out: str, added: tuple[str, ...] = ()) -> Reply:
    values = _object(body)
    usage = values.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    model = values.get("model")
    tokens_in = _count(counts.get(key_in), least=0 if added else 1)
    if tokens_in is not None:
        tokens_in += sum(_count(counts.get(key), least=0) or 0 for key in added)
    return Reply(
        text=_whole(text),
        finish=finish,
        model=_whole(model)[:200] if isinstance(model, str) else "",
        tokens_in=tokens_in or None,
        tokens_out=_count(counts.get(key_out), least=1 if text else 0),
    )


def _object(value: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise UnreadableReply("the reply is not the object that the protocol asks for")
    return value


def _count(value: JsonValue, *, least: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= least else None


def _whole(text: str) -> str:
    """Join halves of surrogate pairs, and replace one that stands alone, which no file can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
