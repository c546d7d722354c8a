"""The include lines that a header is precompiled for."""

from __future__ import annotations

import pytest

from halo_forge.verifiers.cpp.include_block import leading_block, without_leading

HEAD = "#include <vector>\n"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("#include <iostream>\n#include <vector>\nint main() {}", ("iostream", "vector")),
        ("\n  # include\t<iostream>  // why\r\n/* a\n b */\n#include<map> /* c\n */\nint x;", ("iostream", "map")),
        ("#include <bits/stdc++.h>\nusing namespace std;\n#include <vector>\n", ("bits/stdc++.h",)),
        ("#include <map>\n#include <map>\n", ("map",)),
        ("/**/ \n//*\n#include <map>\n/*/ */\n#include <set>\n", ("map", "set")),
        ("int main() {}", ()),
        ("", ()),
    ],
)
def test_leading_standard_headers_are_found(source: str, names: tuple[str, ...]) -> None:
    assert leading_block(source) == names


@pytest.mark.parametrize(
    "line",
    [
        "#define NDEBUG",
        "#pragma GCC optimize(3)",
        '#include "vector"',
        "#include <../../etc/passwd>",
        "#include </dev/stdin>",
        "#include <linux/../../../etc/passwd>",
        "#include <sys/ptrace.h>",
        "#include <boost/any.hpp>",
        "#include MACRO",
        "#include_next <map>",
        "#import <map>",
        "#if 0",
        "%:include <map>",
        "/* */ #include <map>",
        "#include <map> int x;",
        "// joined \\",
        "// joined ??/",
        "#include <map> \\",
        "\0",
        "\f",
        'R"(',
        "import <map>;",
    ],
)
def test_anything_else_ends_the_block(line: str) -> None:
    assert leading_block(f"{HEAD}{line}\n#include <set>\n") == ("vector",)


def test_a_comment_that_is_never_closed_hides_what_follows() -> None:
    assert leading_block(HEAD + "/* \n#include <set>\n") == ("vector",)


def test_a_line_cut_by_the_limit_or_by_the_end_is_not_trusted() -> None:
    assert leading_block("#include <map>") == ()
    assert leading_block(HEAD + " " * 30_000 + "\n#include <set>\n") == ("vector",)


def test_what_a_header_holds_is_not_read_again() -> None:
    head = "// a\n#include <map>\r\n # include <set> // why\n#include <vector> /* b\n*/\n"
    source = f"{head}#include<map>\nint x;\n#include <map>\n"
    blanked = without_leading(source, {"map", "vector"})
    assert blanked == (
        f"// a\n{' ' * 14}\r\n # include <set> // why\n{' ' * 18}/* b\n*/\n{' ' * 13}\nint x;\n#include <map>\n"
    )
    assert [len(line) for line in blanked.split("\n")] == [len(line) for line in source.split("\n")]
    assert without_leading("int x;\n#include <map>\n", {"map"}) == "int x;\n#include <map>\n"
