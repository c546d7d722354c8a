"""The verifier that fits the language of each row, or of each answer where the row leaves it open.

Whose choice the language is:

1. Tests that are code fix it. Their form says which it is (`assert f(1) == 2`, `assert(f(1) == 2);`, `assert_eq!(…)`,
   `def check(…)`). Where that fits several, the language that the prompt names decides, then that of the row's set-up,
   stub and solution, then `default`, then a guess: asserts that end in semicolons are in C or C++, others in Python. A
   row that stays open is a fault. The answer is judged by that language's verifier whatever its fence says; between C
   and C++ the fence decides.
2. A prompt that names one language fixes it as well.
3. Otherwise the answer chooses: by its fence, else by what its text shows, else `default`. Its input and output are
   then compared as in any language, and no language earns more than another for coming as far: a wrong program earns
   what it does in the least generous verifier.

An answer in a language that is not among `languages` earns 0. A row or an answer in a language whose toolchain is
missing here is a fault, not a 0; languages listed in `languages` must have theirs before anything starts.
"""

from __future__ import annotations

from typing import NamedTuple

from pydantic import field_validator, model_validator

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.plugins import VerifierConfig, verifier_config
from halo_forge.core.protocols import Sandbox, Verifier


class Choice(NamedTuple):
    """The verifier of a language.

    Args:
        verifier: its name.
        options: settings that it needs for this language.
    """

    verifier: str
    options: dict[str, object]


CHOICES = {
    "c": Choice("gcc", {"language": "c"}),
    "c++": Choice("gcc", {"language": "c++"}),
    "go": Choice("go", {}),
    "python": Choice("python", {}),
    "rust": Choice("rust", {}),
}


class AutoConfig(VerifierConfig):
    """Chooses the verifier by language: that of the row's tests, else the prompt's, else the answer's.

    Args:
        languages: the languages to judge, from c, c++, go, python, rust; by default those whose toolchain works here.
        default: the language of rows and answers that do not show theirs.
        verifiers: language -> another verifier for it, such as c++: clang.
        options: verifier -> its own settings.
    """

    languages: tuple[str, ...] | None = None
    default: str | None = None
    verifiers: dict[str, str] = {}
    options: dict[str, dict[str, object]] = {}

    @field_validator("languages", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return tuple(word.strip() for word in value.split(",")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _known(self) -> AutoConfig:
        for option, languages in (
            ("languages", self.languages or ()),
            ("verifiers", self.verifiers),
            ("default", () if self.default is None else (self.default,)),
        ):
            for language in languages:
                if language not in CHOICES:
                    raise ValueError(f"{option}: unknown language '{language}': choose from {', '.join(CHOICES)}")
        if self.languages == ():
            raise ValueError("languages: name at least one")
        if self.default is not None and self.languages is not None and self.default not in self.languages:
            raise ValueError(f"default: {self.default} is not among languages: {', '.join(self.languages)}")
        used = {self.choice(language).verifier for language in CHOICES}
        for verifier in self.options:
            if verifier not in used:
                raise ValueError(f"options: '{verifier}' judges no language here: {', '.join(sorted(used))}")
        for language in self.languages or ():
            self.config(language)
        return self

    def choice(self, language: str) -> Choice:
        """Return the verifier of a language."""
        choice = CHOICES[language]
        other = self.verifiers.get(language)
        return choice if other is None else choice._replace(verifier=other)

    def config(self, language: str) -> VerifierConfig:
        """Return the settings of a language's verifier.

        Raises:
            ConfigError: there is no such verifier, or it has no such option.
        """
        name, options = self.choice(language)
        return verifier_config(name, {**options, **self.options.get(name, {})})

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifiers of the languages.

        Raises:
            EnvironmentFault: the toolchain of a listed language is missing, or of every language.
        """
        from halo_forge.verifiers.composed.auto_language import AutoVerifier

        return AutoVerifier(self, sandbox, workers)

    def check(self, sandbox: Sandbox) -> None:
        """Look for the toolchains: all of `languages`, or one where none is listed.

        Raises:
            EnvironmentFault: one is missing, or all are.
        """
        missing = []
        for language in self.languages or CHOICES:
            try:
                self.config(language).check(sandbox)
            except EnvironmentFault as fault:
                missing.append(str(fault))
            else:
                if self.languages is None:
                    return
        if missing:
            raise EnvironmentFault("; ".join(missing))
