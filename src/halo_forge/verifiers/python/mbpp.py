"""MBPP (Austin et al. 2021, https://huggingface.co/datasets/google-research-datasets/mbpp, CC-BY-4.0).

    Prompt(id="601", …, reference=Reference(asserts=("assert max_chain_length([Pair(5, 24), …], 4) == 3", …),
           setup="", solution="class Pair(object): …"))

A completion passes when every assert of `test_list` holds, after `test_setup_code`. What the asserts name and Python
does not is taken from the completion. Deviation: an object of a class that the completion defines equals itself only.
"""

from __future__ import annotations

from halo_forge.core.protocols import Sandbox, Verifier
from halo_forge.verifiers.python.config import PythonConfig


class MbppConfig(PythonConfig):
    """MBPP: functions and classes named by asserts."""

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier.

        Raises:
            EnvironmentFault: no Python starts in the sandbox.
        """
        return self._built("mbpp", sandbox, workers)
