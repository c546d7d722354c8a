"""Extraction takes any text without a crash, gives back only what the text holds, and finds what was fenced."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from halo_forge.verifiers.extract import extract_code, fenced_blocks

LANGUAGES = ("python", "py")
FENCE_LINES = ["```", "```python", "```PY", "````", "~~~", "~~~~ python", "  ```py", "\t```", "```python title=x", "``"]
PROSE = ["", "text", "x = 1", "    return 1", "<think>", "</think>", "`x`", "\x00", "\r", "\u2028", "\ud800", "#"]
markdown = st.lists(st.sampled_from(FENCE_LINES + PROSE) | st.text(max_size=6), max_size=30).map("\n".join)
code = st.lists(st.text(st.characters(exclude_characters="`~\n\r<"), max_size=12), min_size=1, max_size=6).map(
    "\n".join
)


@given(markdown)
@example("```python\n```")
@example("<think></think></think>```py")
def test_the_code_is_made_of_the_texts_own_lines(text: str) -> None:
    found = extract_code(text, LANGUAGES)
    lines = {line.strip() for line in [*text.split("\n"), *text.replace("</think>", "\n").split("\n")]}
    assert {line.strip() for line in found.code.split("\n")} <= lines | {""}
    assert found == extract_code(text, LANGUAGES)
    assert found.code == "" or found.code.strip()


@given(markdown)
def test_no_fence_line_of_a_block_is_lost_or_counted_twice(text: str) -> None:
    blocks = fenced_blocks(text)
    assert sum(len(block.code.split("\n")) for block in blocks) <= len(text.split("\n")) + len(blocks)
    assert all(block.complete for block in blocks[:-1])


@given(markdown.filter(lambda text: not fenced_blocks(text) and "think>" not in text), code)
def test_what_is_fenced_is_found_among_any_words(words: str, program: str) -> None:
    found = extract_code(f"{words}\n```python\n{program}\n```\n{words}", LANGUAGES)
    assert found.code == (program if program.strip() else "")


@given(code, code)
def test_a_fitting_language_goes_before_a_longer_block_of_another(program: str, other: str) -> None:
    text = f"```bash\n{other}{program}x\n```\n```python\n{program}\n```"
    assert extract_code(text, LANGUAGES).code == (program if program.strip() else "")
