"""LoRA adapters on servers, loaded while they run.

An adapter's name carries the run, the cycle and a hash of its files: a server that still holds older weights cannot
answer under it. vLLM takes `POST /v1/load_lora_adapter` (with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True and --enable-lora);
SGLang takes the same without `/v1` and names an adapter `base:adapter` in requests.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.generation.protocol import MODELS, ModelCard, read_models
from halo_forge.generation.servers import ServerRefusal, Session

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
HASH_DIGITS = 12
SGLANG = "sglang"


class Adapter(NamedTuple):
    """Weights that the servers shall answer with.

    Args:
        folder: absolute; the servers read it themselves, under the same path.
    """

    name: str
    folder: Path


def name_adapter(folder: Path, run_id: str, label: str) -> Adapter:
    """Name the adapter in a folder after its run, what made it (`cycle_2`) and its content.

    Raises:
        EnvironmentFault: it lacks one of an adapter's files.
    """
    digest = sha256()
    for name in ADAPTER_FILES:
        try:
            digest.update((folder / name).read_bytes())
        except OSError as error:
            raise EnvironmentFault(f"the adapter in {folder} cannot be served: {name}: {error.strerror}") from error
    return Adapter(f"{run_id}-{label}-{digest.hexdigest()[:HASH_DIGITS]}", folder.resolve())


def list_models(session: Session, root: str) -> list[ModelCard]:
    """Ask one server once what it serves; see `Session.ask` for what it raises."""
    return read_models(root, session.ask(root, MODELS)).data


def requested_name(adapter: Adapter, cards: list[ModelCard]) -> str:
    """The name that a completion's request and answer carry."""
    base = next((card for card in cards if card.parent is None), None)
    return f"{base.id}:{adapter.name}" if base and base.owned_by == SGLANG else adapter.name


def load_adapter(session: Session, root: str, adapter: Adapter) -> str:
    """Have one server load the adapter unless it lists it already.

    Returns:
        The name under which to ask for it.

    Raises:
        ServerAway: see `Session.ask`.
        EnvironmentFault: it cannot load adapters, cannot load this one, or does not list it afterwards.
    """
    cards = list_models(session, root)
    if not _lists(cards, adapter):
        try:
            session.ask(root, _path("load", cards), {"lora_name": adapter.name, "lora_path": str(adapter.folder)})
        except ServerRefusal as refusal:
            if not _lists(list_models(session, root), adapter):  # another thread may have been faster
                raise _explained(root, adapter, refusal) from refusal
        cards = list_models(session, root)
    if not _lists(cards, adapter):
        raise EnvironmentFault(f"{root} took the adapter '{adapter.name}' and does not list it among its models")
    return requested_name(adapter, cards)


def unload_adapters(session: Session, root: str, run_id: str, keep: Adapter) -> int:
    """Have one server forget this run's other adapters, and count them.

    Raises:
        ServerAway, ServerRefusal: see `Session.ask`.
    """
    cards = list_models(session, root)
    old = [card.id for card in cards if card.id.startswith(f"{run_id}-") and card.id != keep.name]
    for name in old:
        session.ask(root, _path("unload", cards), {"lora_name": name})
    return len(old)


def check_loading(session: Session, root: str) -> None:
    """See that one server can load adapters at all, with a request that names none.

    Raises:
        ServerAway: see `Session.ask`.
        EnvironmentFault: it has no such address.
    """
    try:
        session.ask(root, _path("load", list_models(session, root)), {})
    except ServerRefusal as refusal:
        if refusal.status in (404, 405):
            raise EnvironmentFault(
                f"{root} cannot load adapters while it runs, which RAFT needs after each cycle: start vLLM with "
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True and --enable-lora (`halo-forge serve` prints the whole command)"
            ) from refusal
        if refusal.status in (401, 403):
            raise


def _lists(cards: list[ModelCard], adapter: Adapter) -> bool:
    return any(card.id == adapter.name for card in cards)


def _path(verb: str, cards: list[ModelCard]) -> str:
    sglang = any(card.owned_by == SGLANG for card in cards)
    return f"{'' if sglang else '/v1'}/{verb}_lora_adapter"


def _explained(root: str, adapter: Adapter, refusal: ServerRefusal) -> EnvironmentFault:
    return EnvironmentFault(
        f"{root} cannot load the adapter {adapter.folder}: {refusal.reason}. It must be able to read that folder under "
        "the same path, and have been started with LoRA on and a --max-lora-rank that is large enough"
    )
