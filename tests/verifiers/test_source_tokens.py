from __future__ import annotations

import time
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.verifiers.go.driver import defines, has_main, in_main
from halo_forge.verifiers.rust.driver import (
    defines_body,
    plain_program,
    renamed_main,
    solid_program,
    with_driver,
    writable_type,
)
from halo_forge.verifiers.rust.driver import has_main as has_rust_main
from halo_forge.verifiers.source_tokens import Dialect, bare, source_tokens
from halo_forge.verifiers.tokens import solid

PIECES = st.sampled_from(
    ["/*", "*/", "//", '"', "'", 'r#"', "`", "\\", "fn ", "main", "(", ")", "{", "}", "\n", "1.", "é"]
)


@given(st.lists(PIECES, max_size=60).map("".join), st.sampled_from(get_args(Dialect)))
def test_tokens_give_the_text_back(text: str, dialect: Dialect) -> None:
    assert "".join(token.text for token in source_tokens(text, dialect)) == text
    with_driver(text, "", (), compare=False)
    defines(text, "main")
    in_main(text)


def test_rust_is_told_apart() -> None:
    text = "fn f<'a>(x: &'a str) { 'x'; r#\"/* \"# /* a /* b */ c */; 1..2; 1.5e-3; 2.abs(); b'\\''; \"\\\"\" }"
    found = [(token.kind, token.text) for token in solid(source_tokens(text, "rust"))]
    for expected in [
        ("lifetime", "'a"),
        ("char", "'x'"),
        ("string", 'r#"/* "#'),
        ("number", "1.5e-3"),
        ("char", "b'\\''"),
    ]:
        assert expected in found
    assert ("name", "c") not in found
    assert ("name", "abs") in found


def test_go_is_told_apart() -> None:
    found = [(token.kind, token.text) for token in solid(source_tokens("x := `a\n\"` + \"b`\" + '\\'' // c", "go"))]
    assert found == [
        ("name", "x"), ("sign", ":="), ("string", "`a\n\"`"), ("sign", "+"), ("string", '"b`"'), ("sign", "+"),
        ("char", "'\\''"),
    ]  # fmt: skip


def test_brackets_around_a_tuple_stay() -> None:
    shown = {
        text: "".join(token.text for token in bare(source_tokens(text, "rust"))) for text in (" ((1)) ", "(1, 2)", "()")
    }
    assert shown == {" ((1)) ": "1", "(1, 2)": "(1, 2)", "()": "()"}


def test_definitions_are_found_where_they_are() -> None:
    assert defines_body(solid_program("fn add<T: Into<i32>>(a: T) -> i32 where T: Copy { 1 }"), "add")
    assert not defines_body(solid_program("trait T { fn add(a: i32); } // fn add() {}\nfn other() {}"), "add")
    assert has_rust_main(source_tokens("mod a { fn x() {} }\npub async fn main() {}", "rust"))
    assert not has_rust_main(source_tokens("mod a { fn main() {} } // fn main() {}", "rust"))
    assert defines("package p\nfunc (s *Stack[T]) Add(a int) {}", "Stack.Add")
    assert not defines("package p\nfunc f() { g() ; Add(1) }", "Add")
    assert has_main("package p\nfunc main() {}")
    assert not has_main("package p\nvar s = `func main() {}`")
    assert in_main("// c\npackage p // d\n") == "// c\npackage main // d\n"


def test_main_gives_way_and_attributes_stay() -> None:
    renamed = renamed_main(
        source_tokens('#[tokio::main(flavor = "x")] async fn main() { self::main(); "main"; }', "rust")
    )
    assert renamed.count("halo_forge_main") == 2
    assert "#[tokio::main(" in renamed
    assert '"main"' in renamed


def test_what_is_no_rust_is_blanked_line_by_line() -> None:
    assert plain_program("#!/usr/bin/env cargo\n---\n[dependencies]\n---\nfn a() {}") == "\n\n\n\nfn a() {}"
    assert plain_program("#![allow(x)]\nfn a() {}") == "#![allow(x)]\nfn a() {}"


@pytest.mark.parametrize(
    ("reported", "written"),
    [
        ("alloc::vec::Vec<core::option::Option<&str>>", "Vec<Option<&str>>"),
        ("std::collections::hash::map::HashMap<u8, (i32, [f32; 2])>", "std::collections::HashMap<u8, (i32, [f32; 2])>"),
        ("program::Point", None),
        ("Vec<i32>", None),
        ("u8 { loop {} }", None),
        ("u8; std::process::exit(0)", None),
        ("&" * 300 + "str", None),
    ],
)
def test_only_types_of_the_standard_library_are_written(reported: str, written: str | None) -> None:
    assert writable_type(reported) == written


@pytest.mark.parametrize("piece", ["/*", "*/", '"', 'r#"', "'", "(", "`", "{{", "fn add ", "func add", "#[", "fn add("])
def test_reading_a_hostile_program_takes_no_time(piece: str) -> None:
    started = time.monotonic()
    defines_body(solid_program(piece * 30_000), "add")
    defines(piece * 30_000, "add")
    with_driver(piece * 30_000, "", (), compare=False)
    assert time.monotonic() - started < 30
