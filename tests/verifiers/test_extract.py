from hypothesis import given
from hypothesis import strategies as st

from halo_forge.verifiers.extract import extract_code

CPP = ("cpp", "c++", "c")
LINES = st.lists(
    st.sampled_from(["```", "```cpp", "````", "~~~", "  ```c", "int f();", "", "text", "<think>", "</think>"])
)


def test_the_fitting_fence_is_taken() -> None:
    text = "Run `make`:\n```bash\nmake all the many things\n```\nCode:\n```cpp\nint f();\n```\nDone."
    assert extract_code(text, CPP) == ("int f();", "cpp")


def test_the_longest_fitting_fence_is_taken_and_of_equals_the_last() -> None:
    text = "```cpp\nint main_program();\n```\nUse it:\n```cpp\nf();\n```"
    assert extract_code(text, CPP).code == "int main_program();"
    assert extract_code("```\na\n```\n```\nb\n```", CPP).code == "b"


def test_an_unclosed_fence_reaches_to_the_end() -> None:
    assert extract_code("Here:\n```cpp\nint f() {\n  return", CPP).code == "int f() {\n  return"


def test_a_complete_fence_goes_before_an_unclosed_one() -> None:
    assert extract_code("```cpp\na;\n```\n```cpp\nlonger, but cut", CPP).code == "a;"


def test_without_a_fence_the_text_is_the_code() -> None:
    assert extract_code("    return 1\n", CPP).code == "    return 1\n"
    assert extract_code(" \n\t", CPP).code == ""


def test_an_indented_fence_loses_its_indentation() -> None:
    assert extract_code("1. So:\n   ```cpp\n   int a;\n     int b;\n   ```", CPP).code == "int a;\n  int b;"


def test_a_longer_fence_may_hold_a_shorter_one() -> None:
    assert extract_code("````cpp\n```\nx\n```\n````", CPP).code == "```\nx\n```"


def test_thoughts_are_no_answer() -> None:
    assert extract_code("<think>```cpp\ndraft, long\n```</think>```cpp\nfinal\n```", CPP).code == "final"
    assert extract_code("<think>```cpp\ndraft\n```", CPP).code == ""
    assert extract_code("<think>plan</think><think>```cpp\ndraft\n```", CPP).code == ""


@given(st.text() | LINES.map("\n".join))
def test_anything_is_taken_without_a_crash(text: str) -> None:
    code, language = extract_code(text, CPP)
    assert language == language.lower()
    assert all(line.strip() in text for line in code.split("\n"))


@given(st.text(alphabet=st.characters(exclude_characters="`~<")))
def test_code_without_fences_stays_as_it_is(text: str) -> None:
    once = extract_code(text, CPP).code
    assert extract_code(once, CPP).code == once


@given(st.text(alphabet=st.characters(exclude_characters="`~<\r")).filter(lambda text: bool(text.strip())))
def test_what_is_fenced_comes_out_again(text: str) -> None:
    assert extract_code(f"Words.\n```cpp\n{text}\n```\nMore.", CPP).code == text
