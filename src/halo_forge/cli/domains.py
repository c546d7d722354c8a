"""The groups of the domains: the commands of SFT, RAFT and benchmark with a domain's settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import click

from halo_forge.cli.benchmark import RUN as BENCHMARK
from halo_forge.cli.datasets import datasets_command
from halo_forge.cli.flags import Shorthand
from halo_forge.cli.launch import run_command
from halo_forge.cli.raft import TRAIN as RAFT
from halo_forge.cli.sft import TRAIN as SFT
from halo_forge.config.domains import AGENTIC, AUDIO, REASONING, VLM, Domain
from halo_forge.config.shared import VERIFICATION


def domain_group(domain: Domain, shorthands: Callable[[], Sequence[click.Option]] = tuple) -> click.Group:
    """Make the commands of a domain.

    Args:
        shorthands: makes the options of its own that `train` and `benchmark` have.
    """
    return click.Group(
        domain.name,
        help=domain.help,
        commands=[
            run_command("sft", replace(SFT, schema=domain.sft)),
            run_command("train", replace(RAFT, schema=domain.train), shorthands()),
            run_command("benchmark", replace(BENCHMARK, schema=domain.benchmark), shorthands()),
            datasets_command(domain=domain.name),
        ],
    )


def _task() -> Sequence[click.Option]:
    task = Shorthand(
        "task",
        key="verifier_options",
        section=VERIFICATION,
        choices=("asr", "classification"),
        refused={
            "tts": "--task tts: making speech is not offered; asr writes down what is said, and classification "
            "names a spoken word"
        },
        help="asr writes down what is said, classification names a spoken word.  [default: asr]",
    )
    return (task,)


reasoning = domain_group(REASONING)
audio = domain_group(AUDIO, _task)
vlm = domain_group(VLM)
agentic = domain_group(AGENTIC)
