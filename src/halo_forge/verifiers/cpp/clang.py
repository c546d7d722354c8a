"""C and C++ programs, judged by Clang and by their tests; rewards as for `gcc`."""

from __future__ import annotations

from halo_forge.verifiers.cpp.config import RunnableConfig


class ClangConfig(RunnableConfig):
    """C and C++ programs: compiled by Clang, run and tested."""

    toolchain = "clang"
