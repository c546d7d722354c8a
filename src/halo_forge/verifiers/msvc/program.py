"""The verifier behind `msvc`: what is compiled on the build host, what is refused before, and what it earns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Sandbox
from halo_forge.core.types import Reference, Stage
from halo_forge.verifiers.batch import Meter, ProgramVerifier, Ruling, UnsupportedTests
from halo_forge.verifiers.content import shortcoming
from halo_forge.verifiers.cpp.driver import defines
from halo_forge.verifiers.extract import extract_code
from halo_forge.verifiers.msvc.compiler import Language, RemoteCompiler
from halo_forge.verifiers.msvc.ssh_session import Host

if TYPE_CHECKING:
    from halo_forge.verifiers.msvc.config import MsvcConfig

RULES = 1
FENCES: dict[str, Language] = {
    "c": "c", "h": "c", "cpp": "c++", "c++": "c++", "cc": "c++", "cxx": "c++", "hpp": "c++",
}  # fmt: skip
WARNED, CLEAN = 0.3, 0.5
HIDING = re.compile(
    r"^[ \t]*(?:\#|%:)[ \t]*(?:pragma[ \t]+(?:warning|system_header)\b|line\b|\d)|\b_?_[Pp]ragma\b", re.MULTILINE
)
DIRECTIVE = re.compile(r"^[ \t]*(?:\#|%:)[ \t]*(?P<name>\w+)[ \t]*(?P<rest>.*)$", re.MULTILINE)
PLAIN_INCLUDE = re.compile(r"[<\"](?![\\/])(?!.*\.\.)[^<>\"\\:]+[>\"][ \t]*(?://.*|/\*.*)?$")
LIBRARY = re.compile(r"pragma[ \t]+comment[ \t]*\([ \t]*lib[ \t]*,[ \t]*\"[\w.-]+\"[ \t]*\)", re.IGNORECASE)
REDIRECTING = re.compile(r"\binclude_alias\b|\bcomment[ \t]*\([ \t]*(?:lib|linker)\b", re.IGNORECASE)


class MsvcVerifier(ProgramVerifier):
    """Judges C and C++ programs by compiling them on the build host.

    Args:
        config: the options.
        sandbox: not used, since nothing runs here.
        workers: submissions judged at the same time, each over a connection of its own.

    Raises:
        EnvironmentFault: the host cannot be reached, refuses us, or lacks the compiler.
    """

    def __init__(self, config: MsvcConfig, sandbox: Sandbox, workers: int) -> None:
        if config.ssh_key is not None and not config.ssh_key.expanduser().is_file():
            raise EnvironmentFault(f"there is no key {config.ssh_key}: make one with `ssh-keygen -t ed25519 -N ''`")
        host = Host(
            config.host, config.user, config.port, config.ssh_key, config.known_hosts, config.host_key,
            config.connect_timeout_s,
        )  # fmt: skip
        self._language = config.language
        self._compile_only = config.compile_only
        self._min_tokens = config.min_tokens
        self._linked = config.link
        options = _options(config)
        self._compiler = RemoteCompiler(host, config.vcvars, options, config.compile_timeout_s)
        rules = f"compile_only={config.compile_only}; min_tokens={config.min_tokens}; {config.compile_timeout_s} s"
        version = f"msvc rules {RULES}; {self._compiler.version}; {options}; {rules}"
        super().__init__("msvc", version, sandbox, workers)

    def judge(self, reference: Reference, text: str, meter: Meter) -> Ruling:
        """Judge one completion.

        Raises:
            EnvironmentFault: the build host failed.
            UnsupportedTests: there are tests, and programs are not run there.
        """
        if reference.has_tests and not self._compile_only:
            raise UnsupportedTests("msvc compiles and does not run: set compile_only to judge rows with tests by that")
        code, fence = extract_code(text, FENCES)
        if not code:
            return Ruling(0.0, passed=False, stage=Stage.PARSE, detail="the answer holds no code")
        language = FENCES.get(fence, "c++") if self._language == "auto" else self._language
        bare = Reference(entry_point=reference.entry_point, required=reference.required)
        refusal = reach(code) or shortcoming(code, language, bare, self._min_tokens)
        if refusal:
            return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=f"not compiled: {refusal}")
        compiled = self._compiler.compile(language, code)
        meter.repeatable &= not compiled.timed_out
        entry_point = reference.entry_point
        if not compiled.ok:
            return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=compiled.detail)
        if entry_point is not None and not defines(code, entry_point.rpartition("::")[2]):
            return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=f"does not define {entry_point}")
        hides = HIDING.search(_spliced(code)) is not None
        how = "built, not run" if self._linked else "compiles (syntax checked, not linked, not run)"
        detail = f"{how} {compiled.detail or ('hides warnings' if hides else '')}"
        return Ruling(WARNED if compiled.warned or hides else CLEAN, passed=True, stage=Stage.COMPILE, detail=detail)

    def close(self) -> None:
        """End the workers and the connections; further calls of `verify` are errors."""
        super().close()
        self._compiler.close()


def reach(code: str) -> str:
    """Say what in a program would make the compiler open files outside its own folders, `""` when nothing does.

    The build host's compiler opens whatever an include names, network shares with the account's credentials among them.
    """
    text = _spliced(code)
    for found in DIRECTIVE.finditer(text):
        name, rest = found["name"], found["rest"].strip()
        if name in ("include", "include_next") and not PLAIN_INCLUDE.fullmatch(rest):
            return f"it includes {rest[:80] or 'nothing'}: only plain relative names are allowed"
        if name in ("import", "using", "embed"):
            return f"it uses #{name}, which opens files"
    named = LIBRARY.sub("", text)
    redirecting = REDIRECTING.search(named)
    return f"it redirects the compiler with {redirecting[0]}" if redirecting else ""


def _spliced(code: str) -> str:
    return code.replace("\r\n", "\n").replace("\\\n", "")


def _options(config: MsvcConfig) -> dict[Language, str]:
    always = "/nologo /W4 /utf-8 /diagnostics:column"
    action = "/Fe:program.exe" if config.link else "/Zs"
    options: dict[Language, str] = {
        "c++": f"{always} /EHsc /permissive- /std:{config.std} {action}",
        "c": f"{always} /TC /std:{config.c_std} {action}",
    }
    return {language: words for language, words in options.items() if config.language in ("auto", language)}
