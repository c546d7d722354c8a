"""One text with many asserts becomes its statements, without tearing one apart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_forge.core.errors import DataError
from halo_forge.data.asserts import holds_test_functions, split_asserts


@pytest.mark.parametrize(
    ("text", "asserts"),
    [
        ("assert f(1)\nassert f(2) == 'a;b'", ("assert f(1)", "assert f(2) == 'a;b'")),
        ("assert f(1)\r\n\r\nassert f(2)\r\n", ("assert f(1)", "assert f(2)")),
        ("assert f(\n  1,\n) == [\n  2]\nassert g(2)", ("assert f(\n  1,\n) == [\n  2]", "assert g(2)")),
        ("# first\nassert f('é') == 'é' # same\nassert f(2), 'no'", ("assert f('é') == 'é'", "assert f(2), 'no'")),
        ('assert f() == """a\nassert b"""', ('assert f() == """a\nassert b"""',)),
        ("assert f('\\d')", ("assert f('\\d')",)),
        ("assert(f(1) == 2);\nassert(f(2) == 3);", ("assert(f(1) == 2);", "assert(f(2) == 3);")),
        ("assert(f(1) == 2); assert(f(2) == 3) ;", ("assert(f(1) == 2);", "assert(f(2) == 3) ;")),
        (
            "// why\nassert(f(\";\") == ';'); /* ; */ assert(f(1'000));",
            ("assert(f(\";\") == ';');", "assert(f(1'000));"),
        ),
        ("assert(f({1, 2}) == std::vector<int>{\n  3});", ("assert(f({1, 2}) == std::vector<int>{\n  3});",)),
    ],
)
def test_plain_asserts_are_split(text: str, asserts: tuple[str, ...]) -> None:
    found = split_asserts(text)
    assert found.setup == ""
    assert tuple(statement.strip() for statement in found.asserts) == asserts


def test_imports_and_includes_become_the_setup() -> None:
    python = split_asserts("import math\nfrom cmath import sqrt\nassert f(math.pi)\n")
    assert python == ("import math\nfrom cmath import sqrt", ("assert f(math.pi)",))
    cpp = split_asserts("#include <cassert>\n#include <vector>\nassert(f(std::vector<int>()) == 0);")
    assert cpp == ("#include <cassert>\n#include <vector>", ("assert(f(std::vector<int>()) == 0);",))


@pytest.mark.parametrize(
    "text",
    [
        "x = f(1)\nassert x == 2\nassert f(x) == 3",
        "for a, b in ((1, 2), (2, 3)):\n    assert f(a) == b",
        "def same(a, b):\n    return a == b\n\nassert same(f(1), 2)",
        "int x = f(1);\nassert(x == std::max(1, 2));",
        "for (int i = 0; i < 3; i++) { assert(f(i) == i); }",
        "auto twice = [](int x) { return 2 * x; };\nassert(f(1) == twice(1));",
        "#ifdef __cplusplus\nassert(f(1) == std::max(1, 0));\n#endif",
    ],
)
def test_a_text_that_does_more_stays_whole(text: str) -> None:
    assert split_asserts(text) == ("", (text,))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no assert that runs"),
        ("f(1) == 2", "no assert that runs"),
        ("def test_f():\n    assert f(1) == 2", "no assert that runs"),
        ("class T:\n    assert f(1)", "no assert that runs"),
        ("f(1) should be 2", "neither Python nor C\\+\\+"),
        ("assert f(1) == \nassert f(2) == 3", "neither Python nor C\\+\\+"),
        ("assert(f(1) == std::max(1, 2)", "neither Python nor C\\+\\+"),
        ("std::cout << f(1);", "neither Python nor C\\+\\+"),
        ("int main() { assert(f(1)); return 0; }", "define C\\+\\+ functions; put those into 'setup'"),
        ("static std::vector<int> g(int a) { return {a}; }\nassert(f(1) == g(1));", "define C\\+\\+ functions"),
    ],
)
def test_a_text_that_could_not_fail_is_refused(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        split_asserts(text)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("def test_a():\n    assert f(1) == 2", True),
        ("import math\n\ndef helper(x):\n    return x\n\ndef test_a(n=3):\n    assert f(helper(n))", True),
        (
            "def test_a():\n    try:\n        f(1)\n    except E:\n        return\n    raise AssertionError",
            True,
        ),
        ("def test_a():\n    assert sorted((yes for yes in f(1)), key=lambda x: -x)", True),
        ("def test(x, y):\n    assert f(x) == y\n\nassert test(1, 2) is None", False),
        ("def helper():\n    assert f(1)", False),
        ("class TestF:\n    def test_a(self):\n        assert f(1)", False),
        ("def test_a():\n    def inner():\n        assert f(1)", False),
        ("assert f(1) == 2", False),
        ("assert(f(1) == 2);", False),
    ],
)
def test_functions_of_tests_are_told(text: str, held: bool) -> None:
    assert holds_test_functions(text) is held


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ("def test_b(tmp_path):\n    assert f(1)", "'test_b' would not test anything"),
        ("def test_b(*, n):\n    assert f(n)", "'test_b' would not test anything"),
        ("async def test_b():\n    assert f(1)", "'test_b' would not test anything"),
        ("def test_b():\n    assert f(1)\n    yield", "'test_b' would not test anything"),
        ("@twice\ndef test_b():\n    assert f(1)", "'test_b' would not test anything"),
        ("def test_b():\n    f(1)", "'test_b' would not test anything"),
        ("class TestF:\n    def test_a(self):\n        assert f(1)", "class 'TestF', which is not run"),
    ],
)
def test_what_beside_test_functions_would_not_be_run_is_refused(beside: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        holds_test_functions(f"def test_a():\n    assert f(1) == 2\n\n{beside}")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(["assert", "(", ")", ";", "{", "}", "f", "1", "'", '"', "\n", "//", "#", " "])).map(
        "".join
    )
)
def test_any_text_is_split_or_refused(text: str) -> None:
    try:
        found = split_asserts(text)
    except DataError:
        return
    assert found.asserts
    assert all("assert" in statement for statement in found.asserts)
