"""C and C++ programs, judged by GCC and by their tests.

| reward | earned by |
| --- | --- |
| 0.0 | no code, does not compile, lacks the entry point or a name the prompt requires, or is trivial (without tests) |
| 0.3 | compiles with warnings, shown or hidden |
| 0.5 | compiles without warnings |
| 0.7 | runs: ends with status 0, in every test if there are any |
| 1.0 | all tests correct |

Warnings decide between 0.3 and 0.5 only; a program that runs or is correct earns 0.7 or 1.0 with or without them.
`passed` means that all tests are correct; without tests, that the program ran (option `run`) or compiles.
"""

from __future__ import annotations

from halo_forge.verifiers.cpp.config import RunnableConfig


class GccConfig(RunnableConfig):
    """C and C++ programs: compiled by GCC, run and tested."""

    toolchain = "gcc"
