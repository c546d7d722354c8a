"""Verifiers in a row, whose rewards add up.

    stages:
      - {verifier: gcc, weight: 0.3, tests: false}       compiles
      - {verifier: gcc, weight: 0.6}                     passes the row's tests
      - {verifier: custom, weight: 0.1, gate: false, graded: true, options: {command: [style-check, "{code}"]}}

The reward is the weighted mean of the stages' scores: the sum of weight times score over the sum of all weights. A
stage that passed scores 1, or its own reward where it is `graded`; one that did not pass scores its own reward, such as
the part that a verifier gives for a program that runs and prints the wrong thing; one that was not reached scores 0.

A stage without settings may be given as its verifier's name alone. A gate that does not pass ends the chain, so it
stands before what it guards. `passed` means that every gate passed. A fault in a stage that was reached is a fault of
the whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from halo_forge.core.plugins import VerifierConfig, verifier_config
from halo_forge.core.protocols import Sandbox, Verifier


class ChainStage(BaseModel):
    """One verifier of a chain.

    Args:
        verifier: its name.
        options: its own settings.
        name: what verdicts call the stage; by default the verifier's name.
        weight: its share in the reward, against the other stages' weights.
        gate: whether the chain ends here when it does not pass.
        graded: whether a pass scores the verifier's reward rather than 1.
        tests: whether it sees the row's tests; without them a verifier of programs compiles or loads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verifier: str
    options: dict[str, object] = {}
    name: str = ""
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    gate: bool = True
    graded: bool = False
    tests: bool = True

    @model_validator(mode="before")
    @classmethod
    def _named_alone(cls, value: object) -> object:
        return {"verifier": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _options_fit(self) -> ChainStage:
        self.config()
        return self

    @property
    def label(self) -> str:
        """What verdicts call it."""
        return self.name or self.verifier

    def config(self) -> VerifierConfig:
        """Return the verifier's validated settings.

        Raises:
            ConfigError: unknown verifier or option.
        """
        return verifier_config(self.verifier, dict(self.options))


class ChainConfig(VerifierConfig):
    """Several verifiers in a row: their rewards add up, and a gate that fails ends the row.

    Args:
        stages: the verifiers, in order.
    """

    stages: tuple[ChainStage, ...] = Field(min_length=1)

    @field_validator("stages")
    @classmethod
    def _decide_something(cls, stages: Sequence[ChainStage]) -> Sequence[ChainStage]:
        if not any(stage.gate for stage in stages):
            raise ValueError("no stage is a gate, so nothing would decide whether an answer passes: set gate: true")
        if sum(stage.weight for stage in stages) == 0:
            raise ValueError("all weights are 0, so every answer would earn 0: give a stage a weight")
        return stages

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier and those it is made of.

        Raises:
            EnvironmentFault: one of them lacks its toolchain.
        """
        from halo_forge.verifiers.composed.chain_stages import ChainVerifier

        return ChainVerifier(self.stages, sandbox, workers)
