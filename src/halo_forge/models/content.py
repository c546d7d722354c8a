"""What a model consists of, as one hash: two models of equal hash load alike. Without torch."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest, sha256
from pathlib import Path

from halo_forge.models.resolve import ModelRef

READ_BY_LOADERS = frozenset({".safetensors", ".bin", ".json", ".model", ".txt", ".jinja", ".tiktoken"})
NOT_READ = frozenset({"checkpoint.json"})


def hash_model(ref: ModelRef) -> dict[str, tuple[str, str]]:
    """Hash the parts of a model.

    Every byte of a folder that a loader may read is hashed, weights included: size and time of a file do not tell
    whether it was written again. Files are read side by side, which takes about a second for 1.5 GB a core, and leaves
    them in the system's cache for the loading that follows. For a model on the Hub its revision stands for its content.

    Returns:
        `model`, and `adapter` where there is one -> (folder or Hub id, hash).
    """
    parts = {"model": (ref.base, "config.json")}
    if ref.adapter is not None:
        parts["adapter"] = (ref.adapter, "adapter_config.json")
    return {
        name: (place, _hash_folder(Path(place)) if Path(place).is_dir() else _revision(place, file))
        for name, (place, file) in parts.items()
    }


def _hash_folder(folder: Path) -> str:
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix in READ_BY_LOADERS and path.name not in NOT_READ and path.is_file()
    )
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        digests = list(pool.map(_hash_file, files))
    whole = sha256()
    for path, digest in zip(files, digests, strict=True):
        whole.update(f"{path.name}\0{digest}\n".encode())
    return whole.hexdigest()


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _revision(name: str, file: str) -> str:
    """The commit of a Hub model, which `resolve_model` has just looked up; the cache keeps it as a folder's name."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, file)
    return Path(found).parent.name if isinstance(found, str) else ""
