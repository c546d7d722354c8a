r"""GSM8K's two accuracies, by the rules of EleutherAI's lm-evaluation-harness (task `gsm8k`).

- **strict**: the first `#### N`.
- **flexible**: the last number of the text.

Of both sides `,` and `$`, everything up to `#### ` and a full stop at the end are left out; what then is equal,
capitals aside, counts. A model that was asked for a box writes no `####`, so its strict accuracy is low by the form of
the question; the flexible one is what published scores of chat models compare with.
"""

from __future__ import annotations

import re

STRICT = re.compile(r"#### (\-?[0-9\.\,]+)")
FLEXIBLE = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")
IGNORED = (re.compile(r","), re.compile(r"\$"), re.compile(r"(?s).*#### "), re.compile(r"\.$"))


def strict_match(text: str, reference: str) -> bool:
    """Whether the first `#### N` is the reference."""
    found = STRICT.search(text)
    return found is not None and _plain(found[1]) == _plain(reference)


def flexible_match(text: str, reference: str) -> bool:
    """Whether the last number is the reference."""
    found = FLEXIBLE.findall(text)
    return bool(found) and _plain(next(part for part in found[-1] if part)) == _plain(reference)


def _plain(text: str) -> str:
    for pattern in IGNORED:
        text = pattern.sub("", text)
    return text.strip().lower()
