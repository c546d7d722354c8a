"""Reading what rustc says with `--error-format=json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple


class Diagnostic(NamedTuple):
    """One message of the compiler.

    Args:
        level: `error`, `warning`, …
        code: the lint or the error's number, `""` for none.
        text: the message, with file and line.
        line: where, counted from 1; 0 for nowhere.
        foreign: whether the text is another crate's macro's, not the program's.
        notes: what is added to it, such as the words of the linker.
    """

    level: str
    code: str
    text: str
    line: int
    foreign: bool
    notes: str = ""


def diagnostics(stderr: bytes) -> Iterator[Diagnostic]:
    """Yield the messages in what the compiler wrote, without its summary."""
    for line in stderr.decode(errors="replace").splitlines():
        if not line.startswith("{"):
            continue
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            continue
        if message.get("message", "").startswith(("aborting due to", "For more information")):
            continue
        yield _diagnostic(message)


def _diagnostic(message: dict[str, Any]) -> Diagnostic:
    code = (message.get("code") or {}).get("code", "")
    spans = [span for span in message.get("spans", []) if span["is_primary"]]
    level, said = message["level"], message["message"]
    label = f"{level}[{code}]" if code else level
    if not spans:
        notes = "\n".join(child["message"] for child in message.get("children", []))
        return Diagnostic(level, code, f"{label}: {said}", 0, foreign=False, notes=notes)
    span = spans[0]
    macro = span["expansion"]
    definition = (macro.get("def_site_span") or {}).get("file_name", "") if macro else ""
    own = macro is None or definition.endswith("program.rs")
    while span["expansion"]:
        span = span["expansion"]["span"]
    return Diagnostic(level, code, f"program.rs:{span['line_start']}: {label}: {said}", span["line_start"], not own)
