"""How fast verification is, beside plain compilers and other checkers, interleaved in one run; prints JSON.

    python benchmarks/verify.py --data ../shared/data --parts cpp,python,cache,scaling,memory --output verify.json

Ratios above 1 say that halo-forge is faster. Neither the verdict cache nor equal submissions count anywhere but in the
part `cache`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from verification import cpp, python, verdicts
from verification.peers import Peers

PARTS = ("cpp", "python", "cache", "scaling", "memory")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the sample programs")
    parser.add_argument("--peers", type=Path, default=Path("~/.cache/halo-forge/peers").expanduser())
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--programs", type=int, default=250, help="C++ programs, each also with an error")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    chosen = options.parts.split(",")
    peers = Peers(options.peers) if "python" in chosen else None
    measures: dict[str, Callable[[], Any]] = {
        "cpp": lambda: cpp.measure(options.data, options.programs),
        "python": lambda: {
            "trivial": python.trivial(peers, options.rounds) if peers else None,
            "real": python.real(peers, options.data, max(1, options.rounds // 2)) if peers else None,
        },
        "cache": lambda: verdicts.cached(options.data),
        "scaling": lambda: cpp.scaling(options.data, 40, options.rounds),
        "memory": verdicts.memory,
    }
    report: dict[str, Any] = {"machine": platform.machine(), "python": platform.python_version()}
    for part in chosen:
        started = time.perf_counter()
        report[part] = measures[part]()
        print(f"{part}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    if peers:
        peers.close()
    text = json.dumps(report, indent=2)
    if options.output:
        options.output.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
