r"""The process that compares: reads one JSON object a line, answers with one, until its input ends.

A question is `{"reference": "72", "answer": "\\frac{144}{2}"}`; an answer `{"equal": true, "key": "72"}`. The key is
the answer in a form in which equal answers are mostly equal. Nothing here keeps time: whoever asks kills this process.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
from functools import lru_cache
from typing import Any

KEY_CHARS = 200
KEY_PARTS = 400


def main() -> None:
    """Answer questions with the memory, MiB, that the first argument allows."""
    limit = int(sys.argv[1]) << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What a library prints must not stand among the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.disable(logging.CRITICAL)
    _parse("0")  # loads the grammar, before anybody waits
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            found: dict[str, object] = compare(question["reference"], question["answer"])
        except (MemoryError, RecursionError) as error:
            found = {"equal": False, "key": "", "why": f"too large to compare ({type(error).__name__})"}
        print(json.dumps(found), file=answers, flush=True)


def compare(reference: str, answer: str) -> dict[str, object]:
    """Compare an answer with the reference as Math-Verify does, both in a box."""
    from math_verify import verify

    gold, given = _gold(reference), _parse(answer)
    equal = bool(verify(gold, given, timeout_seconds=None))
    return {"equal": equal, "key": _key(reference if equal else answer, gold if equal else given)}


@lru_cache(maxsize=256)
def _gold(reference: str) -> Any:
    return _parse(reference)


def _parse(text: str) -> Any:
    from math_verify import LatexExtractionConfig, parse

    boxed = f"\\boxed{{{text}}}"
    return parse(boxed, extraction_config=[LatexExtractionConfig(boxed_match_priority=0)], parsing_timeout=None)


def _key(text: str, parsed: Any) -> str:
    """The reference's own key for what equals it; else the expression if it is small, or the text without blanks."""
    first = parsed[0] if parsed else None
    if first is not None and not isinstance(first, str):
        try:
            if sum(1 for _ in zip(range(KEY_PARTS), _parts(first), strict=False)) < KEY_PARTS:
                return str(first)[:KEY_CHARS]
        except (AttributeError, TypeError, ValueError):
            pass
    return "".join(text.split())[:KEY_CHARS]


def _parts(expression: Any) -> Any:
    from sympy import preorder_traversal

    return preorder_traversal(expression)


if __name__ == "__main__":
    main()
