"""What a model's name means: a Hub id, a model folder, an adapter folder or a run folder. Without torch."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from halo_forge.core.errors import ModelError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True)
class ModelRef:
    """A model that exists, as far as can be told without loading it.

    Args:
        base: Hub id or folder of full weights.
        adapter: folder (or Hub id) of a LoRA adapter on that base, if any.
    """

    base: str
    adapter: str | None = None

    @property
    def name(self) -> str:
        """What a person would call it."""
        return self.adapter or self.base

    @property
    def is_local(self) -> bool:
        """Whether every part is a folder of this machine."""
        return Path(self.base).is_dir() and (self.adapter is None or Path(self.adapter).is_dir())


def resolve_model(name: str, stated_base: str | None = None) -> ModelRef:
    """Find what a name stands for.

    Args:
        stated_base: a base model given beside an adapter; it must be the adapter's own.

    Raises:
        ModelError: nothing of that name, an unfinished run, or a base that differs.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        ref = _resolve_folder(folder, stated_base)
    elif folder.is_file():
        raise ModelError(f"model '{name}' is a file; name the folder it is in")
    elif HUB_ID.fullmatch(name):
        ref = _resolve_hub(name)
    else:
        raise ModelError(f"model '{name}': there is no such folder, and it is no Hub id such as org/name")
    if stated_base is not None and not _same(ref.base, stated_base):
        belongs = f"is an adapter of '{ref.base}'" if ref.adapter else "holds full weights and needs no base"
        raise ModelError(f"'{name}' {belongs}, not of '{stated_base}': leave that one out")
    return ref


def _resolve_folder(folder: Path, stated_base: str | None) -> ModelRef:
    adapter_config = folder / "adapter_config.json"
    if adapter_config.is_file():
        return ModelRef(_base_of_adapter(adapter_config, stated_base), str(folder))
    if (folder / "config.json").is_file():
        return ModelRef(str(folder))
    if (folder / "final_model").is_dir():
        return _resolve_folder(folder / "final_model", stated_base)
    if (folder / "launch_context.json").is_file():
        cycles = sorted(p.name for p in folder.glob("cycle_*_final"))
        there = f"it has {', '.join(cycles)}; name one of these" if cycles else "it holds no checkpoint"
        raise ModelError(
            f"the run in '{folder}' has no final_model: it has not finished, and {there} or finish it first"
        )
    raise ModelError(
        f"'{folder}' is not a model: it holds neither config.json, nor adapter_config.json, nor a run's final_model"
    )


def _base_of_adapter(adapter_config: Path, stated_base: str | None) -> str:
    try:
        base = json.loads(adapter_config.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{adapter_config} cannot be read, so the adapter's base model is unknown: {error}") from error
    if not isinstance(base, str) or not base:
        raise ModelError(f"{adapter_config} names no base model")
    if Path(base).is_dir():
        return base
    if Path(base).is_absolute():
        if stated_base is not None and Path(stated_base).is_dir():
            return stated_base
        raise ModelError(
            f"the adapter '{adapter_config.parent}' belongs to the model folder '{base}', which is gone; "
            "put it back, or name its new place beside the adapter as base"
        )
    return base


def _resolve_hub(name: str) -> ModelRef:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        try:
            hf_hub_download(name, "config.json")
            return ModelRef(name)
        except EntryNotFoundError as error:
            if isinstance(error, LocalEntryNotFoundError):
                raise
            file = hf_hub_download(name, "adapter_config.json")
            return ModelRef(_base_of_adapter(Path(file), None), name)
    except GatedRepoError as error:
        raise ModelError(
            f"model '{name}' is gated: accept its terms on its Hub page, then set HF_TOKEN to a token of yours"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"model '{name}': no such folder here and no such model on the Hub; check the spelling"
        ) from error
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"model '{name}': no such folder here, and the Hub cannot be reached to look for it there; "
            "check the path, or the network (HF_ENDPOINT names a mirror)"
        ) from error
    except EntryNotFoundError as error:
        raise ModelError(f"'{name}' on the Hub holds neither config.json nor adapter_config.json") from error


def _same(one: str, other: str) -> bool:
    if Path(one).is_dir() and Path(other).is_dir():
        return Path(one).resolve() == Path(other).resolve()
    return one == other
