"""The trackers there are, and whether this machine can use them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from netrc import NetrcParseError, netrc
from pathlib import Path
from urllib.parse import urlsplit

from halo_forge.core.errors import EnvironmentFault
from halo_forge.tracking.protocol import Tracker


@dataclass(frozen=True)
class Known:
    """A tracker by name.

    Args:
        library: the package it needs.
        target: `module:class` of ours that speaks to it.
    """

    library: str
    target: str


TRACKERS = {
    "tensorboard": Known("tensorboard", "halo_forge.tracking.to_tensorboard:TensorBoard"),
    "trackio": Known("trackio", "halo_forge.tracking.to_trackio:Trackio"),
    "wandb": Known("wandb", "halo_forge.tracking.to_wandb:Wandb"),
    "mlflow": Known("mlflow", "halo_forge.tracking.to_mlflow:Mlflow"),
}


def check_trackers(names: Sequence[str]) -> None:
    """Look, before a run starts, whether its trackers can work here.

    Raises:
        EnvironmentFault: a library is missing, or a key; the text says what to do.
    """
    for name in names:
        if find_spec(TRACKERS[name].library) is None:
            raise EnvironmentFault(
                f"tracker '{name}' needs the library {TRACKERS[name].library}, which is not installed: "
                f"pip install 'halo-forge[{name}]'"
            )
        if name == "wandb" and not _wandb_can_send():
            raise EnvironmentFault(
                "tracker 'wandb' has no key: run 'wandb login', or set WANDB_API_KEY, or set WANDB_MODE=offline "
                "to keep everything here and 'wandb sync' it later"
            )


def make_tracker(name: str) -> Tracker:
    """Import a tracker's library and make it."""
    module, _, attribute = TRACKERS[name].target.partition(":")
    tracker: Tracker = getattr(import_module(module), attribute)()
    return tracker


def _wandb_can_send() -> bool:
    if os.environ.get("WANDB_MODE") in ("offline", "disabled", "dryrun"):
        return True
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname
    file = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    try:
        return host is not None and file.is_file() and netrc(file).authenticators(host) is not None
    except (NetrcParseError, OSError):
        return False
