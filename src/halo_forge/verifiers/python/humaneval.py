"""HumanEval (Chen et al. 2021, https://github.com/openai/human-eval, MIT licence).

    Prompt(id="HumanEval/0", …, reference=Reference(stub="def has_close_elements(…", check="def check(candidate): …",
           entry_point="has_close_elements", solution="    for idx, elem in enumerate(numbers): …"))

A completion passes as in the official evaluation: when `check` of the entry point raises nothing. Deviations: the tests
run in another process than the completion; a completion may give the whole function or continue the prompt; the limit
is in processor seconds.
"""

from __future__ import annotations

from halo_forge.core.protocols import Sandbox, Verifier
from halo_forge.verifiers.python.config import PythonConfig


class HumanEvalConfig(PythonConfig):
    """HumanEval: a function that continues a stub, tested by check(candidate)."""

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier.

        Raises:
            EnvironmentFault: no Python starts in the sandbox.
        """
        return self._built("humaneval", sandbox, workers)
