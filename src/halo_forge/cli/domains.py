"""The groups of the domains: the commands of SFT, RAFT and benchmark with a domain's settings."""

from __future__ import annotations

from dataclasses import replace

import click

from halo_forge.cli.benchmark import RUN as BENCHMARK
from halo_forge.cli.datasets import datasets_command
from halo_forge.cli.launch import run_command
from halo_forge.cli.raft import TRAIN as RAFT
from halo_forge.cli.sft import TRAIN as SFT
from halo_forge.config.domains import AGENTIC, REASONING, VLM, Domain


def domain_group(domain: Domain) -> click.Group:
    """Make the commands of a domain."""
    return click.Group(
        domain.name,
        help=domain.help,
        commands=[
            run_command("sft", replace(SFT, schema=domain.sft)),
            run_command("train", replace(RAFT, schema=domain.train)),
            run_command("benchmark", replace(BENCHMARK, schema=domain.benchmark)),
            datasets_command(domain=domain.name),
        ],
    )


reasoning = domain_group(REASONING)
vlm = domain_group(VLM)
agentic = domain_group(AGENTIC)
