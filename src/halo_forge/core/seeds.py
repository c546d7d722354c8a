"""Seeds of the parts of a run: the same run seed gives the same draws, whatever was interrupted in between."""

from __future__ import annotations

from hashlib import sha256


def derive(seed: int, *path: str | int) -> int:
    """Mix a run seed with the name of a part, such as `derive(0, "generate", 2, 17)`.

    Returns:
        An integer in [0, 2**63).
    """
    text = "/".join(str(part) for part in (seed, *path))
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 1
