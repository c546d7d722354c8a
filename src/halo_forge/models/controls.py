"""Control tokens, and why nobody's text can write one.

A chat template gives one string in which its own `<|im_end|>` and that of somebody's text look alike. So each control
token inside a text is put between two private characters before the template runs; behind them it is encoded in two
halves, which are ordinary tokens. A text without control tokens is encoded exactly as the tokenizer would.

Two sets are kept out. From what a user, a system prompt or a tool says: every special token, and every added token that
the template mentions. From what the assistant says: the special tokens and those around turns, but not `<think>` or
`<tool_call>`, which a model writes as single tokens and has to learn so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import JsonValue

from halo_forge.core.errors import DataError

PRIVATE_USE = range(0xE000, 0xF8FF)
NEVER = re.compile(r"(?!)")


class ControlTokens:
    """The control tokens of a tokenizer with its template.

    Args:
        tokenizer: a `transformers` tokenizer with its template.
        around_turns: ids of the tokens that the template writes around turns.
    """

    def __init__(self, tokenizer: Any, around_turns: Iterable[int]) -> None:
        self._tokenizer = tokenizer
        added = {token: one for token, one in tokenizer.added_tokens_decoder.items() if not one.content.isspace()}
        around = set(around_turns)
        of_turns = {token: one.content for token, one in added.items() if one.special or token in around}
        template = str(tokenizer.chat_template)
        mentioned = {token: one.content for token, one in added.items() if one.content in template}
        self._ids = frozenset(of_turns | mentioned)
        self._of_turns = _any_of(of_turns.values())
        self._every = _any_of([*of_turns.values(), *mentioned.values()])
        self._newline: list[int] = self._plain("\n")

    def guard(self, turns: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
        """Put the control tokens inside texts between two private characters.

        Returns:
            The turns, and the two characters; "" where no text holds a control token.
        """
        if not any(self._pattern(turn).search(text) for turn in turns for text in _texts(turn)):
            return turns, ""
        used = {character for turn in turns for text in _texts(turn) for character in text}
        free = (chr(code) for code in PRIVATE_USE if chr(code) not in used)
        before, after = next(free), next(free)
        marked = [_replaced(turn, self._pattern(turn), rf"{before}\g<0>{after}") for turn in turns]
        return marked, before + after

    def encode(self, text: str, marks: str) -> list[int]:
        """Encode what the template wrote from guarded turns.

        Args:
            marks: as `guard` returned them.

        Raises:
            DataError: the tokenizer makes control tokens of a text that does not hold them to the letter.
        """
        if not marks:
            ids = self._plain(text)
            self._check(ids, len(self._every.findall(text)))
            return ids
        # Text outside of the marks stands at even places, guarded tokens at odd ones.
        pieces = re.split(f"{marks[0]}({self._every.pattern}){marks[1]}|[{marks}]", text)
        ids = []
        for place, piece in enumerate(pieces):
            if not piece:
                continue
            if place % 2:
                ids += self._inside(piece[:1]) + self._inside(piece[1:])
            else:
                ids += self._inside(piece) if place else self._plain(piece)
        self._check(ids, sum(len(self._every.findall(piece)) for piece in pieces[::2]))
        return ids

    def _pattern(self, turn: dict[str, Any]) -> re.Pattern[str]:
        return self._of_turns if turn["role"] == "assistant" else self._every

    def _inside(self, piece: str) -> list[int]:
        """Encode what stands inside of a text: after a line break, for tokenizers that begin a text with a space."""
        ids = self._plain("\n" + piece)
        return ids[len(self._newline) :] if ids[: len(self._newline)] == self._newline else self._plain(piece)

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _check(self, ids: list[int], written: int) -> None:
        if sum(token in self._ids for token in ids) > written:
            raise DataError(
                "a text of this row becomes control tokens of the model's chat, although it does not spell them; "
                "the tokenizer normalises it into them: leave the row out"
            )


def _any_of(tokens: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of them, a longer one before the one it begins with."""
    escaped = [re.escape(token) for token in sorted(set(tokens), key=lambda token: (-len(token), token))]
    return re.compile("|".join(escaped)) if escaped else NEVER


def _texts(value: JsonValue) -> Iterable[str]:
    """Every text in a value, keys included: arguments of a tool are named by whoever wrote the row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _replaced(value: Any, pattern: re.Pattern[str], by: str) -> Any:
    if isinstance(value, str):
        return pattern.sub(by, value)
    if isinstance(value, dict):
        return {_replaced(key, pattern, by): _replaced(item, pattern, by) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(item, pattern, by) for item in value]
    return value
