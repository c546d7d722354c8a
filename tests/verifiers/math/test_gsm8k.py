"""The two accuracies, on answers whose scores follow from the published patterns."""

import pytest

from halo_forge.verifiers.math.gsm8k import flexible_match, strict_match


@pytest.mark.parametrize(
    ("text", "strict", "flexible"),
    [
        ("She pays 72.\n#### 72", True, True),
        ("#### 72 and then #### 71", True, False),  # strict takes the first, flexible the last
        ("#### 71\n#### 72", False, True),
        ("The answer is 72.", False, True),
        ("The answer is $72.", False, True),
        ("It is 1,072 or 72", False, True),
        ("72 apples, 3 left", False, False),
        ("#### 72.", True, True),
        ("####72", False, True),  # the pattern has a blank
        (r"\boxed{72}", False, True),
        ("none", False, False),
        ("", False, False),
    ],
)
def test_a_reference_of_72(text: str, strict: bool, flexible: bool) -> None:
    assert strict_match(text, "72") is strict
    assert flexible_match(text, "72") is flexible


def test_commas_and_dollars_do_not_count() -> None:
    assert strict_match("#### 1,234", "1234")
    assert flexible_match("$1,234.", "1234")
    assert strict_match("#### 5", "He has 5.\n#### 5")
