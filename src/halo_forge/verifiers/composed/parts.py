"""What verifiers made of verifiers share: building each distinct one once, and closing what has been built."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Foreseeing, Sandbox, Submission, Verifier


class Parts:
    """Verifiers that are built from their settings and closed together.

    Args:
        sandbox: where untrusted programs run.
        workers: programs checked at the same time.
    """

    def __init__(self, sandbox: Sandbox, workers: int) -> None:
        self._sandbox = sandbox
        self._workers = workers
        self._built: list[tuple[VerifierConfig, Verifier]] = []
        self._open = ExitStack()

    def build(self, config: VerifierConfig, *, inside: str) -> Verifier:
        """Return the verifier of these settings, the same one for equal settings.

        Args:
            config: its settings.
            inside: the place it is for, which an error names.

        Raises:
            EnvironmentFault: its toolchain is missing.
        """
        for known, verifier in self._built:
            if type(known) is type(config) and known == config:
                return verifier
        try:
            verifier = config.build(self._sandbox, self._workers)
        except EnvironmentFault as fault:
            raise EnvironmentFault(f"{inside}: {fault}") from fault
        self._open.callback(verifier.close)
        self._built.append((config, verifier))
        return verifier

    def close(self) -> None:
        """Close every verifier."""
        self._open.close()


def without_tests(submission: Submission) -> Submission:
    """Return a submission whose verifier can only look at the answer itself."""
    bare = submission.prompt.reference.model_copy(update={"asserts": (), "cases": (), "check": None})
    return submission._replace(prompt=submission.prompt.model_copy(update={"reference": bare}))


def prepare_part(verifier: Verifier, submissions: Sequence[Submission]) -> None:
    """Let a verifier see what it will be asked, if that helps it and there is anything."""
    if submissions and isinstance(verifier, Foreseeing):
        verifier.prepare(submissions)
