import pytest

from halo_forge.core.words import percent
from halo_forge.report.wording import cut, no_width, points, shorten, visible, with_interval
from halo_forge.rollout.metrics import Estimate


def test_shares_and_intervals() -> None:
    assert percent(None) == "–"
    assert with_interval(Estimate(value=0.213, ci95=(0.14, 0.291))) == "21.3% (14.0–29.1%)"
    assert with_interval(None) == "–"
    assert points(Estimate(value=-0.02, ci95=(-0.1, 0.05))) == "-2.0 points (95% interval -10.0 to +5.0)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31m", "a\\u001b[31m"),
        ("a\u202eb\u2066", "a\\u202eb\\u2066"),
        ("a\x00\x7f", "a\\u0000\\u007f"),
        ("\ud800", "\\ud800"),
        ("line\r\n\tnext", "line\n\tnext"),
        ("naïve 控制 🙂", "naïve 控制 🙂"),
    ],
)
def test_hidden_characters_are_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_cut_says_how_much_is_missing() -> None:
    assert cut("abc", "f", 3) == ("abc", "")
    text, note = cut("x" * 5_000, "rollouts/cycle_1.jsonl", 10)
    assert text == "x" * 10
    assert note == "Cut after 10 of 5,000 characters; the whole text is in rollouts/cycle_1.jsonl."


def test_shorten_is_one_line() -> None:
    assert shorten("a\n  b") == "a b"
    assert len(shorten("x" * 100)) == 28


def test_interval_without_width_is_explained() -> None:
    (said,) = no_width(Estimate(value=0.0, ci95=(0.0, 0.0)), 30)
    assert "with 30 prompts a rate up to 10% is compatible" in said
    (said,) = no_width(Estimate(value=1.0, ci95=(1.0, 1.0)), 2)
    assert "down to 0%" in said
    assert no_width(Estimate(value=0.5, ci95=(0.4, 0.6)), 30) == ()
