"""The verifiers of a run: one that measures the held-out slice, and those that cycles are given beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.shared import VerifierOptions
from halo_forge.raft.schedule import with_given
from halo_forge.rollout.checking import Checker, open_checker
from halo_forge.runs.launch import Judge


@dataclass(frozen=True)
class Checkers:
    """The checkers of a run, by verifier and options.

    Args:
        main: that of the run's own settings.
    """

    main: Checker
    by_verifier: Mapping[str, Checker]

    def judging(self, settings: VerifierOptions) -> Checker:
        """Return the checker of these settings, which are those of the run or of one of its cycles."""
        return self.by_verifier[_key(settings)]

    @property
    def judge(self) -> Judge:
        """What judges the run, every verifier's version in it."""
        return Judge(self.main.tier, "; ".join(checker.version for checker in self.by_verifier.values()))


@contextmanager
def open_checkers(config: RaftTrainConfig) -> Iterator[Checkers]:
    """Open every verifier that some cycle needs, so that a missing toolchain is found before the first begins.

    Raises:
        ConfigError, EnvironmentFault: see `open_checker`.
    """
    cycles = range(1, min(config.cycles, len(config.cycle_settings)) + 1)
    with ExitStack() as stack:
        opened: dict[str, Checker] = {}
        for settings in (config, *(with_given(config, cycle) for cycle in cycles)):
            if _key(settings) not in opened:
                opened[_key(settings)] = stack.enter_context(open_checker(settings))
        yield Checkers(opened[_key(config)], opened)


def _key(settings: VerifierOptions) -> str:
    return json.dumps([settings.verifier, settings.verifier_options], sort_keys=True)
