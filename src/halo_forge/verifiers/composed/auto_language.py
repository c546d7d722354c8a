"""The verifier behind `auto`: settles the language of each submission and hands it to that language's verifier."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from halo_forge.core.errors import ConfigError, EnvironmentFault
from halo_forge.core.protocols import Sandbox, Submission, Verifier
from halo_forge.core.types import Prompt, Stage, Verdict
from halo_forge.verifiers import languages as known
from halo_forge.verifiers.batch import shortened
from halo_forge.verifiers.composed.auto import CHOICES, AutoConfig
from halo_forge.verifiers.composed.parts import Parts, prepare_part
from halo_forge.verifiers.extract import extract_code

RULES = 1
CACHED_PROMPTS = 4096
UNTESTED_PASS = 0.5
# The most that a failing answer may earn at a stage where it chose the language itself.
OPEN_LADDER = {Stage.PARSE: 0.0, Stage.COMPILE: 0.0, Stage.RUN: 0.3, Stage.TESTS: 0.5}


class RowLanguages(NamedTuple):
    """What a row says of the language of its answers.

    Args:
        allowed: the languages an answer may be in; empty when the row's tests are in a language that cannot be told.
        fixed: whether the row decides, up to C and C++.
    """

    allowed: frozenset[str]
    fixed: bool


class Route(NamedTuple):
    """Where a submission goes: the language whose verifier judges it, or the verdict that it has already."""

    language: str | None
    verdict: Verdict | None = None
    is_open: bool = False


class AutoVerifier:
    """Judges each submission in its language.

    Args:
        config: the options.
        sandbox: where untrusted programs run; it stays open on `close`.
        workers: programs checked at the same time.

    Raises:
        EnvironmentFault: the toolchain of a listed language is missing, or of every language.
    """

    name = "auto"

    def __init__(self, config: AutoConfig, sandbox: Sandbox, workers: int) -> None:
        self._default = config.default
        self._parts = Parts(sandbox, workers)
        self._verifiers: dict[str, Verifier] = {}
        self._missing: dict[str, str] = {}
        try:
            self._build(config)
        except (ConfigError, EnvironmentFault):
            self._parts.close()
            raise
        judged = "; ".join(f"{language}: {verifier.version}" for language, verifier in self._verifiers.items())
        self.version = f"auto rules {RULES}; default {self._default}; missing {sorted(self._missing)}; {judged}"
        self._row_languages = lru_cache(CACHED_PROMPTS)(self._languages_of_row)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it judges."""
        return tuple(self._verifiers)

    def prepare(self, submissions: Sequence[Submission]) -> None:
        """Let each language's verifier prepare for the submissions that it will judge."""
        routes = [self._route(submission) for submission in submissions]
        for language, verifier in self._verifiers.items():
            routed = [found for found, route in zip(submissions, routes, strict=True) if route.language == language]
            prepare_part(verifier, routed)

    def verify(self, submissions: Sequence[Submission]) -> list[Verdict]:
        """Judge a batch.

        Returns:
            One verdict a submission, in the same order.
        """
        routes = [self._route(submission) for submission in submissions]
        verdicts = {number: route.verdict for number, route in enumerate(routes) if route.verdict is not None}
        for language, verifier in self._verifiers.items():
            numbers = [number for number, route in enumerate(routes) if route.language == language]
            found = verifier.verify([submissions[number] for number in numbers]) if numbers else []
            for number, verdict in zip(numbers, found, strict=True):
                verdicts[number] = _shown(language, routes[number], verdict, submissions[number])
        return [verdicts[number] for number in range(len(submissions))]

    def close(self) -> None:
        """Close the languages' verifiers; further calls of `verify` are errors."""
        self._parts.close()

    def _build(self, config: AutoConfig) -> None:
        for language in config.languages or CHOICES:
            try:
                self._verifiers[language] = self._parts.build(config.config(language), inside=language)
            except (ConfigError, EnvironmentFault) as error:
                if config.languages is not None or language == config.default:
                    raise
                if isinstance(error, ConfigError) and config.choice(language).verifier in config.options:
                    raise
                self._missing[language] = str(error)
        if not self._verifiers:
            raise EnvironmentFault(f"no language can be judged here: {'; '.join(self._missing.values())}")

    def _route(self, submission: Submission) -> Route:
        row = self._row_languages(submission.prompt)
        if not row.allowed:
            return _fault("the row does not say which language its tests are in: name it in the prompt or set default")
        if row.fixed:
            judged = row.allowed & self._verifiers.keys() or row.allowed
            return self._to(_within(judged, submission.text), asked_by="the row")
        code, fence = extract_code(submission.text, known.FENCES)
        if not code:
            return _zero("the answer holds no code")
        language = known.FENCES.get(fence)
        if fence and language is None:
            return _zero(f"the answer is in {fence}, which is not among the languages judged: {self._listed()}")
        shown = known.shown_languages(code)
        language = language or (next(iter(shown)) if len(shown) == 1 else self._default)
        if language is None:
            return _zero("the answer does not show its language: it names none in its fence")
        return self._to(language, asked_by="the answer")._replace(is_open=True)

    def _to(self, language: str, *, asked_by: str) -> Route:
        if language in self._verifiers:
            return Route(language)
        if language in self._missing:
            return _fault(f"{asked_by} is in {language}, which cannot be judged here: {self._missing[language]}")
        if asked_by == "the row":
            return _fault(f"the row is in {language}, which is not among the option languages: {self._listed()}")
        return _zero(f"the answer is in {language}, which is not among the languages judged: {self._listed()}")

    def _listed(self) -> str:
        return ", ".join(self._verifiers)

    def _languages_of_row(self, prompt: Prompt) -> RowLanguages:
        reference = prompt.reference
        named = known.named_languages(prompt)
        tested = known.languages_of_tests(reference)
        if tested is None:
            return (
                RowLanguages(named, fixed=True) if known.one_family(named) else RowLanguages(frozenset(CHOICES), False)
            )
        hints = [named, known.supporting_languages(reference)]
        if self._default is not None:
            hints.append(frozenset({self._default}))
        if reference.asserts and not tested:
            return RowLanguages(frozenset(), fixed=True)
        left = known.narrowed(tested or CHOICES, *hints)
        if reference.asserts and not known.one_family(left):
            left = known.likeliest_languages(reference.asserts, left)
        return RowLanguages(left if known.one_family(left) else frozenset(), fixed=True)


def _within(family: frozenset[str], text: str) -> str:
    """Return the language of a family that an answer is in: between C and C++ its fence decides, else it is C++."""
    if len(family) == 1:
        return next(iter(family))
    fences = {fence: language for fence, language in known.FENCES.items() if language in family}
    return fences.get(extract_code(text, fences).language, "c++")


def _shown(language: str, route: Route, verdict: Verdict, submission: Submission) -> Verdict:
    """Add the language to a verdict, and level what a chosen language earns."""
    changes: dict[str, object] = {"path": f"{language}: {verdict.path}" if verdict.path else language}
    if verdict.reward is not None and route.is_open:
        changes["reward"] = _levelled(verdict, tested=submission.prompt.reference.has_tests)
    if verdict.reward is not None and not verdict.passed and not route.is_open:
        fence = known.FENCES.get(extract_code(submission.text, known.FENCES).language, language)
        if fence != language:
            changes["detail"] = shortened(f"the row asks for {language}, the answer is in {fence}: {verdict.detail}")
    return verdict.model_copy(update=changes)


def _levelled(verdict: Verdict, *, tested: bool) -> float:
    reward = verdict.reward or 0.0
    if verdict.passed:
        return reward if tested else min(reward, UNTESTED_PASS)
    return min(reward, OPEN_LADDER[verdict.stage])


def _zero(detail: str) -> Route:
    return Route(None, Verdict(reward=0.0, passed=False, stage=Stage.PARSE, detail=shortened(detail)))


def _fault(cause: str) -> Route:
    return Route(None, Verdict(reward=None, passed=False, stage=Stage.PARSE, fault=shortened(cause)))
