"""The generator that a command asked for, where it needs no policy of its own to train."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from halo_forge.config.generator import GeneratorOptions
from halo_forge.config.shared import LoadingOptions
from halo_forge.core.errors import ConfigError, ModelError
from halo_forge.core.events import EventLog
from halo_forge.core.protocols import Generator
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Prompt
from halo_forge.models.resolve import ModelRef

if TYPE_CHECKING:
    from halo_forge.models.load import Policy


def check_generator(
    ref: ModelRef, loading: LoadingOptions, options: GeneratorOptions, prompts: Sequence[Prompt], *, trains: bool
) -> None:
    """See before anything is written that the generator can be had.

    Args:
        prompts: those that fit the model's own context.
        trains: whether its weights will change.

    Raises:
        HaloError: see `connect.check_servers`.
    """
    if options.generator != "server":
        return
    from halo_forge.generation.connect import check_servers
    from halo_forge.models.families import media_kind
    from halo_forge.models.preview import load_format, read_config

    if media_kind(read_config(ref)) is not None:
        raise ConfigError(
            f"--generator server takes models of text alone here, and '{ref.name}' hears or sees: leave it out"
        )
    if ref.adapter is not None and not trains:
        _folder(ref.adapter)
    check_servers(options, load_format(ref, loading), prompts, adapters=trains or ref.adapter is not None)


def open_generator(
    ref: ModelRef, loading: LoadingOptions, options: GeneratorOptions, run_id: str, events: EventLog, stop: StopRequest
) -> Generator:
    """Load a model to sample from, or find the servers that have it.

    Without the model in memory there is nothing to compare a server with: its log-probabilities are left out.

    Raises:
        HaloError: see `models.load.load_policy` and `connect.open_servers`.
    """
    if options.generator != "server":
        from halo_forge.models.load import load_policy

        return local_generator(load_policy(ref, loading))
    from halo_forge.generation.adapters import name_adapter
    from halo_forge.generation.connect import open_servers
    from halo_forge.models.preview import load_format, read_context_length

    servers = open_servers(options, load_format(ref, loading), read_context_length(ref), events, stop)
    if ref.adapter is not None:
        for problem in servers.serve(name_adapter(_folder(ref.adapter), run_id, "start"), run_id):
            events.notice(problem)
    events.notice(
        f"'{servers.model}' answers; its weights are not compared with '{ref.name}', which is not loaded here"
    )
    return servers


def local_generator(policy: Policy) -> Generator:
    """The generator of a model in this process."""
    if policy.media is not None:
        if policy.inner.config.is_encoder_decoder:
            from halo_forge.generation.media import MediaGenerator

            return MediaGenerator(policy)
        from halo_forge.generation.seen_prompts import SeeingGenerator

        return SeeingGenerator(policy)
    from halo_forge.generation.transformers import TransformersGenerator

    return TransformersGenerator(policy)


def _folder(adapter: str) -> Path:
    folder = Path(adapter)
    if not folder.is_dir():
        raise ModelError(
            f"the adapter '{adapter}' is not on this machine, and servers load adapters from folders: download it "
            f"(hf download {adapter} --local-dir DIR) and name the folder"
        )
    return folder
