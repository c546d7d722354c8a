"""The schema of each command; the web forms, `config validate` and the tests of the contract go by it."""

from __future__ import annotations

from halo_forge.config.benchmark import BenchmarkEvalConfig, BenchmarkFullConfig, BenchmarkRunConfig
from halo_forge.config.curate import DecontaminateConfig, DedupConfig, SplitConfig, ValidateConfig
from halo_forge.config.demo import DemoConfig
from halo_forge.config.domains import DOMAINS
from halo_forge.config.generate import GenerateConfig
from halo_forge.config.options import CommandConfig
from halo_forge.config.plan import PlanConfig
from halo_forge.config.prepare import PrepareConfig
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.serve import ServeConfig
from halo_forge.config.sft import SftTrainConfig
from halo_forge.config.verify import VerifyConfig

SCHEMAS: dict[str, type[CommandConfig]] = {
    "data prepare": PrepareConfig,
    "data validate": ValidateConfig,
    "data dedup": DedupConfig,
    "data decontaminate": DecontaminateConfig,
    "data split": SplitConfig,
    "sft train": SftTrainConfig,
    "raft train": RaftTrainConfig,
    "benchmark run": BenchmarkRunConfig,
    "benchmark eval": BenchmarkEvalConfig,
    "benchmark full": BenchmarkFullConfig,
    "verify": VerifyConfig,
    "serve": ServeConfig,
    "plan": PlanConfig,
    "data generate": GenerateConfig,
    "demo": DemoConfig,
    **{f"{domain.name} {command}": schema for domain in DOMAINS for command, schema in domain.schemas.items()},
}
