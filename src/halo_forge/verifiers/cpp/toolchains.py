"""The C and C++ compilers that can judge programs, and how they differ."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Literal, NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.verifiers.cpp.driver import Language

ToolchainName = Literal["gcc", "clang", "mingw"]


class Toolchain(NamedTuple):
    """A family of compilers.

    Args:
        name: the verifier's name.
        programs: the compiler of each language.
        install: how to get it.
        first_error: the option that ends a compilation at its first error.
        header_suffix: what the name of a precompiled header ends with.
        include_option: the option that puts a precompiled header before a program; the name given to it ends with
            `header_suffix` if `names_precompiled`.
        names_precompiled: as said.
        header_options: options with which a precompiled header is made.
        takes_plugin: whether it is GCC, and so may load the plugin that instantiates templates in a header.
        linkers: options of faster linkers, the first that works is used.
        runs_here: whether what it makes can be run on this machine.
    """

    name: ToolchainName
    programs: Mapping[Language, str]
    install: str
    first_error: str = "-fmax-errors=1"
    header_suffix: str = ".gch"
    include_option: str = "-include"
    names_precompiled: bool = False
    header_options: tuple[str, ...] = ()
    takes_plugin: bool = True
    linkers: tuple[tuple[str, ...], ...] = ()
    runs_here: bool = True

    def find(self, language: Language) -> str:
        """Return the path of the compiler.

        Raises:
            EnvironmentFault: it is not installed.
        """
        found = shutil.which(self.programs[language])
        if found is None:
            raise EnvironmentFault(f"the compiler {self.programs[language]} is not installed: {self.install}")
        return found


# What nobody reads of a program that is run once is not written: symbols, and a hash of the whole.
MOLD = ("-fuse-ld=mold", "-Wl,--no-fork", "-Wl,--thread-count=1", "-Wl,--build-id=none", "-s")
TOOLCHAINS: dict[ToolchainName, Toolchain] = {
    "gcc": Toolchain(
        "gcc", {"c": "gcc", "c++": "g++"}, "install it with `apt-get install g++`",
        linkers=((*MOLD, "-fno-use-linker-plugin"),),
    ),
    "clang": Toolchain(
        "clang", {"c": "clang", "c++": "clang++"}, "install it with `apt-get install clang`",
        first_error="-ferror-limit=1", header_suffix=".pch", include_option="-include-pch", names_precompiled=True,
        header_options=("-fpch-instantiate-templates",), takes_plugin=False, linkers=(MOLD,),
    ),
    "mingw": Toolchain(
        "mingw", {"c": "x86_64-w64-mingw32-gcc", "c++": "x86_64-w64-mingw32-g++"},
        "install it with `apt-get install g++-mingw-w64-x86-64-posix`", runs_here=False,
    ),
}  # fmt: skip
