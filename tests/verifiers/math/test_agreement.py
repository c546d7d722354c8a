"""Verdicts on answers in one box are those of Math-Verify itself, as a user of it would call it.

Vectors of our own, by the kinds of answer that its public tests have.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from math_verify import parse, verify

from halo_forge.core.plugins import verifier_config
from halo_forge.core.protocols import Submission, Verifier
from halo_forge.core.types import Message, Prompt, Reference
from halo_forge.sandbox import open_sandbox

EQUAL = {
    "numbers": [
        ("-8", "-8"), ("8250000", "8,250,000"), ("2000", "2000.0"), ("2500.75", "2,500.75"), ("0.6", ".6"),
        ("27845", "27{,}845"), ("45120", r"45,\!120"), ("19.5", r"\$19.50"), ("1234567", r"1,\!234,\!567"),
    ],
    "fractions and roots": [
        ("7/8", r"\frac{7}{8}"), ("-7/8", r"-\frac{7}{8}"), ("1/5", r"\frac15"), ("1", r"\frac4{4}"),
        ("1/5", r"\cfrac{1}{5}"), ("1/5", r"\dfrac{1}{5}"), ("1/5", r"\tfrac{1}{5}"), ("1/5", "1/5"),
        (r"\sqrt{7}", r"\sqrt7"), (r"\frac{1}{5}", "0.2"), (r"\sqrt{5}", r"\frac{5}{\sqrt{5}}"),
        (r"\frac{\sqrt{3}+\sqrt{8}}{4+3\sqrt{5}}", r"\frac{\sqrt{8}+\sqrt{3}}{3\sqrt{5}+4}"),
    ],
    "style and units": [
        ("1/5", r"\left( \frac{1}{5} \right)"), ("1/5", r"\frac{1}{5} \text{ litres}"),
        ("1/5", r"\frac{1}{5} \textbf{litres}"), ("1/5", r"k = \frac{1}{5}"), ("8", r"8 \text{ cm}"),
        ("60", r"60^\circ"), (r"60^\circ", "60"),
    ],
    "percent": [(r"35\%", "35"), (r"35\%", r"35 \%"), ("35", r"35\%"), (r"35\%", "35 percent")],
    "sets and intervals": [
        ("[2,5)", "[2,5)"), ("[-6,0]", "[-6, 0]"), (r"(1,4) \cup (4,9)", r"x \in (1,4) \cup (4,9)"),
        (r"-3 \le x \le 5", r"x \in [-3,5]"), (r"\{4,1\}", r"\{1,4\}"), ("4,-1", "-1,4"),
        (r"(\frac{1}{2},\frac{7}{4}]", "(0.5,1.75]"),
    ],
    "pairs and matrices": [
        (r"(5,\frac{\pi}{3})", r"\left( 5, \frac{\pi}{3} \right)"), ("(3,4)", "(3,4)"),
        (r"\left(\frac{1}{4},\frac{1}{9}\right)", r"\left( \frac{1}{4}, \frac{1}{9} \right)"),
        (r"\begin{pmatrix} 0 & 2 \\ 1 & -3 \end{pmatrix}", r"\begin{pmatrix}0&2\\1&-3\end{pmatrix}"),
        (r"\begin{pmatrix} \frac{1}{4} \\ \frac{1}{5} \end{pmatrix}", r"\begin{pmatrix}0.25\\0.2\end{pmatrix}"),
    ],
    "algebra": [
        ("3-3q", "3-3q"), ("(x+3)(y+1)", "xy+x+3y+3"), ("3x+2y-5=0", "-3x-2y+5=0"), ("x-3y+z-2=0", "x-3y+z-2=0"),
        (r"\frac{1}{2\sqrt{x}}", r"\frac{\sqrt{x}}{2x}"), ("x^2-9", "(x-3)(x+3)"),
    ],
    "words and letters": [
        (r"\text{Monday}", r"\text{Monday}"), (r"\text{Monday}", "Monday"), (r"\text{D}", "D"),
        (r"\text{D}", r"\text{(D)}"), ("2101_3", "2101_3"),
    ],
}  # fmt: skip
DIFFERENT = {
    "numbers": [("45120", "45, 120"), ("5", "-5"), ("27845", "27.845"), ("2", "2^{12}"), ("1", "1/7")],
    "fractions and roots": [
        ("5", r"\frac{1+\sqrt{5}}{2}"), ("3", r"3\sqrt{5}"), (r"1\sqrt{23}", "1"), (r"\frac{7}{8}", r"\frac{8}{7}"),
        ("4", r"\frac{30}{16}+\frac{\sqrt{1300}}{16}"),
    ],
    "percent": [("0.35", "35"), ("35/100", "35"), ("35", "35/100"), (r"\frac{35}{100}", "35")],
    "sets and intervals": [
        ("[2,6)", "[2,5)"), ("(2,6)", "[2,6)"), ("3", "-[2,3)"), ("(4,1)", r"\{1,4\}"), ("1,2,3,4", "1,2,3"),
        (r"x \in [-3,5]", r"-3 \le x \le 5"),
    ],
    "pairs and matrices": [
        ("(3,4)", "(4,3)"), (r"\begin{pmatrix} 0 & 2 \\ 1 & -3 \end{pmatrix}", r"\begin{pmatrix}0&2\\1&3\end{pmatrix}"),
    ],
    "algebra": [("(x+3)(y+1)", "(+3)(y+1)"), ("x+3n+2", "x+2"), ("3x+2y-5=0", "3x+2y+5=0")],
    "words and letters": [(r"\text{Monday}", r"\text{Friday}"), ("2101_3", "2102_3"), (r"\text{D}", "E")],
}  # fmt: skip


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    sandbox = open_sandbox("limits")
    built = verifier_config("math", {"timeout_s": 5}).build(sandbox, 2)
    yield built
    built.close()
    sandbox.close()


@pytest.mark.parametrize(("vectors", "equal"), [(EQUAL, True), (DIFFERENT, False)])
def test_one_box_is_judged_as_math_verify_judges_it(
    verifier: Verifier, vectors: dict[str, list[tuple[str, str]]], equal: bool
) -> None:
    pairs = [pair for kind in vectors.values() for pair in kind]
    asked = [
        Prompt(id=str(n), messages=(Message(role="user", content="?"),), reference=Reference(answer=gold))
        for n, (gold, _) in enumerate(pairs)
    ]
    said = [rf"It follows that $\boxed{{{answer}}}$." for _, answer in pairs]
    verdicts = verifier.verify([Submission(prompt, text) for prompt, text in zip(asked, said, strict=True)])
    for (gold, answer), text, verdict in zip(pairs, said, verdicts, strict=True):
        theirs = verify(
            parse(f"${gold}$", parsing_timeout=None), parse(text, parsing_timeout=None), timeout_seconds=None
        )
        assert (verdict.passed, theirs) == (equal, equal), (gold, answer, verdict.detail)
