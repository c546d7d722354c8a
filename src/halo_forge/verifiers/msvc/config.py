r"""C and C++ programs, compiled by Microsoft's compiler on a Windows machine that is reached over SSH.

| reward | earned by |
| --- | --- |
| 0.0 | no code, trivial, does not compile, lacks what the prompt asks for, or reaches for other files of the host |
| 0.3 | compiles with warnings, or hides them |
| 0.5 | compiles without warnings |

Programs are compiled (`/Zs`, syntax only) or, with `link`, built; they are never run. A row with tests is therefore a
fault, unless `compile_only` says that compiling is enough.

The host needs OpenSSH's server, Windows PowerShell and the C++ build tools. Its compiler is not in our sandbox: give it
an account, better a machine, that holds nothing else. Includes of absolute and network paths are refused beforehand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Sandbox, Verifier
from halo_forge.verifiers.content import MIN_TOKENS

CPP_STANDARDS = Literal["c++14", "c++17", "c++20", "c++latest"]
C_STANDARDS = Literal["c11", "c17", "clatest"]
ADDRESS = r"^[A-Za-z0-9_]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$"
USER = r"^[A-Za-z0-9_][A-Za-z0-9_.@\\-]*$"
WINDOWS_PATH = r"^[A-Za-z]:\\[^\"%&|<>^!*?\x00-\x1f]+$"


class MsvcConfig(VerifierConfig):
    r"""C and C++ for Windows: compiled, and only that, by cl.exe on a build host over SSH.

    Args:
        host: name or address of the build host.
        user: account on it.
        ssh_key: private key without a passphrase; by default the agent and the usual keys.
        port: of its SSH server.
        known_hosts: file with its host key; by default ~/.ssh/known_hosts and the system's.
        host_key: `known` refuses a host whose key is not known; `accept-new` notes the key at the first visit.
        vcvars: path of vcvars64.bat on the host, such as C:\BuildTools\VC\Auxiliary\Build\vcvars64.bat; by default that
            of the newest installed tools.
        language: `auto` takes the fence's language, C++ when it names none.
        std: the C++ standard.
        c_std: the C standard.
        link: build the program, so that undefined functions and a missing main are found.
        compile_only: judge rows with tests too, by compiling alone.
        min_tokens: words and signs of code that an answer needs at least; 0 asks for none.
        connect_timeout_s: seconds on the clock to reach the host.
        compile_timeout_s: seconds on the clock of one compilation.
    """

    host: str = Field(pattern=ADDRESS)
    user: str = Field(pattern=USER)
    ssh_key: Path | None = None
    port: int = Field(default=22, ge=1, le=65_535)
    known_hosts: Path | None = None
    host_key: Literal["known", "accept-new"] = "known"
    vcvars: str = Field(default="", pattern=rf"^$|{WINDOWS_PATH}")
    language: Literal["auto", "c", "c++"] = "auto"
    std: CPP_STANDARDS = "c++17"
    c_std: C_STANDARDS = "c17"
    link: bool = False
    compile_only: bool = False
    min_tokens: int = Field(default=MIN_TOKENS, ge=0)
    connect_timeout_s: float = Field(default=10.0, ge=1)
    compile_timeout_s: float = Field(default=30.0, gt=0)

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Log in and prove that the compiler works.

        Raises:
            EnvironmentFault: the host cannot be reached, refuses us, or lacks the compiler.
        """
        from halo_forge.verifiers.msvc.program import MsvcVerifier

        return MsvcVerifier(self, sandbox, workers)
