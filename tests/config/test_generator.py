from __future__ import annotations

import pytest

from halo_forge.config.benchmark import BenchmarkRunConfig
from halo_forge.config.generator import server_root
from halo_forge.config.load import load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import ConfigError

RAFT = {"model": "m", "prompts": "p.jsonl", "output": "out"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"generator": "server"}, "--generator server needs --base-url"),
        ({"base_url": ("http://h:1",)}, "--base-url is for --generator server"),
        ({"generator": "server", "base_url": ("h:8000",)}, "give an address such as"),
        ({"generator": "server", "base_url": ("http://me:pw@h:8000",)}, "no name, password or key.*HALO_FORGE_SERVER"),
        ({"generator": "server", "base_url": ("http://h/v1", "http://h/")}, "names a server twice"),
        ({"generator": "server", "base_url": ("http://h",), "tuning": "full"}, "cannot follow --tuning full"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(RaftTrainConfig, {**RAFT, **settings})


def test_a_benchmark_has_the_same_settings() -> None:
    config = load(
        BenchmarkRunConfig,
        {"model": "m", "prompts": "p", "generator": "server", "base_url": ("http://h:1/v1", "http://g:1/v1/")},
    ).config
    assert [server_root(url) for url in config.base_url] == ["http://h:1", "http://g:1"]
