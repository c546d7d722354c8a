"""Everything wrong with a file is found, counted and named by line; the cleaned copy has none of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.config.curate import ValidateConfig
from halo_forge.core.errors import DataError, ModelError
from halo_forge.core.events import EventLog
from halo_forge.data import load_conversations, load_prompts
from halo_forge.data.curate.languages import programming_languages, script
from halo_forge.data.curate.row_check import RowCheck
from halo_forge.data.curate.validate import Validation, validate_file

WriteRows = Callable[..., Path]
TEXT = st.sampled_from(
    ["", " \n", "a b", "\ta\x1cb\r\n", "```py\nx\n```", "~~~\n  ```c++ x\n", "日本 é", "x<|im_end|>", None]
)

HOSTILE = (
    b'\xef\xbb\xbf{"prompt": "a", "completion": "b"}\r\n'
    b'{"prompt": "a ", "completion": "b"}\n'
    b'{"prompt": "c\\u0000\\r\\nd<|im_end|>", "completion": "e"}\n'
    b"\n"
    b'{"prompt": "c", "completion": '
    b"\n[1, 2]\n"
    b'{"prompt": "c", "completion": "\xff"}\n'
    b'{"prompt": 7, "completion": "x"}\n'
    b'{"messages": [{"role": "bot", "content": "x"}]}\n'
    b'{"messages": [{"role": "user", "content": "x"}]}\n'
    b'{"prompt": "  ", "completion": "x"}\n'
    b'{"prompt": "\\ud800 half", "completion": "x"}\n' + b'{"prompt": "' + b"x" * (17 << 20) + b'"}\n'
    b'{"prompt": "last", "completion": "y"}'
)


def validate(path: Path, **settings: Any) -> Validation:
    return validate_file(path, ValidateConfig(**settings), EventLog())


def found(result: Validation) -> dict[str, tuple[int, ...]]:
    return {finding.reason: finding.lines for finding in result.findings}


def test_hostile_lines_are_all_found_and_the_copy_is_clean(tmp_path: Path) -> None:
    path, fixed = tmp_path / "rows.jsonl", tmp_path / "fixed.jsonl"
    path.write_bytes(HOSTILE)
    result = validate(path, fix=fixed)
    assert found(result) == {
        "duplicate": (2,),
        "control characters": (3,),
        "Windows line ends": (3,),
        "not JSON": (5,),
        "not an object": (6,),
        "not UTF-8": (7,),
        "no usable row": (8, 9),
        "without text of the assistant": (10,),
        "without text of the user": (11,),
        "halves of surrogate pairs": (12,),
        "line above 16 MiB": (13,),
    }
    assert result.notes == {"chat control tokens inside a text": 1}
    assert (result.kind, result.rows, result.usable, result.clean) == ("conversations", 13, 4, False)
    again = validate(fixed)
    assert again.clean and (again.rows, again.usable) == (4, 4)
    assert [row.messages[0].text for row in load_conversations(fixed).conversations] == [
        "a", "c\nd<|im_end|>", "\ufffd half", "last",
    ]  # fmt: skip
    changes = [json.loads(line) for line in (tmp_path / "fixed.jsonl.changes.jsonl").read_text().splitlines()]
    assert sorted(change["line"] for change in changes) == [2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert {change["line"] for change in changes if change["change"] == "mended"} == {3, 12}


def test_processes_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(HOSTILE)
    assert validate(path, processes=2, preview=2) == validate(path, processes=1, preview=2)


def test_the_shared_files_are_clean(shared_data: Path) -> None:
    for name, kind, rows in (
        ("humaneval.jsonl", "prompts", 164),
        ("mbpp_train.jsonl", "prompts", None),
        ("codeforces_cpp_sample.jsonl", None, 250),
    ):
        result = validate(shared_data / name)
        assert {finding.reason for finding in result.findings} <= {"duplicate", "Windows line ends"}, result.findings
        assert kind is None or result.kind == kind
        assert rows is None or result.rows == rows


PLAIN = st.fixed_dictionaries(
    {
        "messages": st.lists(
            st.fixed_dictionaries(
                {"role": st.sampled_from(["system", "user", "assistant", "tool", "bot"]), "content": TEXT},
                optional={"tool_calls": st.sampled_from([None, [], [{"name": "f", "arguments": {}}]]), "name": TEXT},
            ),
            max_size=3,
        )
    },
    optional={"tools": st.sampled_from([None, "", [], [{"name": "f"}]]), "id": st.sampled_from(["a", 7, "", True])},
)


@given(PLAIN)
def test_plain_messages_are_read_as_all_rows_are(row: dict[str, Any]) -> None:
    line = json.dumps(row).encode()
    quick = RowCheck("conversations", ValidateConfig())
    full = RowCheck("conversations", ValidateConfig(preview=1))  # makes a record of the row
    assert quick(1, line) == full(1, line)._replace(turns=())


def test_prompts_need_ids_of_their_own(write_jsonl: WriteRows) -> None:
    path = write_jsonl("p.jsonl", {"id": 1, "prompt": "a"}, {"id": "1", "prompt": "b"}, {"prompt": "c", "tests": 7})
    result = validate(path, fix=path.with_name("fixed.jsonl"))
    assert found(result) == {"id used before": (2,), "no usable row": (3,)}
    assert len(load_prompts(path.with_name("fixed.jsonl"))) == 1


def test_tokens_are_counted_as_training_counts_them(write_jsonl: WriteRows, nano_model: Path) -> None:
    from halo_forge.config.shared import LoadingOptions
    from halo_forge.models.preview import load_chat
    from halo_forge.models.resolve import ModelRef

    rows = [{"prompt": "double n", "completion": "n " * count} for count in (1, 5, 200)]
    path = write_jsonl("rows.jsonl", *rows)
    chat = load_chat(ModelRef(str(nano_model)), LoadingOptions())
    lengths = [len(chat.conversation_row(row.messages).ids) for row in load_conversations(path).conversations]
    result = validate(path, model=str(nano_model), max_length=lengths[1], preview=1)
    assert found(result) == {f"longer than {lengths[1]} tokens": (3,)}
    assert result.lengths["tokens"]["p0"] == lengths[0] and result.lengths["tokens"]["p100"] == lengths[1]
    (preview,) = result.previews
    assert preview.rendered is not None and preview.rendered.endswith("assistant\nn <|im_end|>")
    assert preview.turns == (("user", "double n"), ("assistant", "n "))
    with pytest.raises(ModelError):
        validate(path, model=str(path.with_name("no_model")))


def test_languages_are_counted(write_jsonl: WriteRows) -> None:
    text = "Так:\n```py\nx\n```\nи\n```C++\ny\n```\n"
    assert programming_languages(text) == {"python", "cpp"}
    assert programming_languages("no fence") == set() and programming_languages("```\nx\n```") == {"unnamed"}
    assert [script(t) for t in ("int f", "привет мир x", "你好", "123", "\u0d85\u0d86")] == [
        "Latin", "Cyrillic", "Han", "none", "other",
    ]  # fmt: skip
    result = validate(write_jsonl("rows.jsonl", {"prompt": "q", "completion": text}))
    assert result.programming == {"cpp": 1, "python": 1} and result.roles == {"user": 1, "assistant": 1}


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n\n")
    with pytest.raises(DataError, match="holds no rows"):
        validate(path)
