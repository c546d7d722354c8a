from __future__ import annotations

import pytest

from halo_forge.core.words import count, duration, percent


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.96, "1 min 00 s"),
        (250.2, "4 min 10 s"),
        (7_512, "2 h 05 min"),
        (172_799, "47 h 59 min"),
        (187_200, "2 days 04 h"),
    ],
)
def test_duration(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


def test_percent() -> None:
    assert (percent(0.2134), percent(1.0), percent(None)) == ("21.3%", "100.0%", "–")


def test_count() -> None:
    assert (count(1, "row"), count(0, "row"), count(1_200, "row")) == ("1 row", "0 rows", "1,200 rows")
    assert (count(1, "entry", "entries"), count(2, "entry", "entries")) == ("1 entry", "2 entries")
