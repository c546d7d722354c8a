"""How long a server asks to be left alone."""

from __future__ import annotations

from email.utils import formatdate
from time import time

import pytest

from halo_forge.datagen.backend import _retry_after


@pytest.mark.parametrize(
    ("value", "milliseconds", "seconds"),
    [
        (None, None, None),
        ("3", None, 3.0),
        ("0.25", None, 0.25),
        ("-4", None, 0.0),
        ("nan", None, 0.0),
        ("9", "1500", 1.5),
        ("soon", None, None),
        (formatdate(0, usegmt=True), None, 0.0),
    ],
)
def test_it_is_read(value: str | None, milliseconds: str | None, seconds: float | None) -> None:
    assert _retry_after(value, milliseconds) == seconds


def test_a_date() -> None:
    wait = _retry_after(formatdate(time() + 100, usegmt=True), None)
    assert wait is not None
    assert 0 < wait <= 100
