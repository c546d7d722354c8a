"""What the server was started with."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from halo_forge.core.errors import ConfigError

PORT = 8899
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
TOKEN_LENGTH = 16
STATE_FOLDER = ".halo-forge"


@dataclass(frozen=True)
class Settings:
    """Where the server listens, what it shows and who may see it.

    Args:
        runs_root: folder of the runs; everything that is launched stays below it.
        token: what a visitor must know; None where only this machine can connect.
        slots: runs that the queue has going at the same time; None for one an accelerator, or one if there is none.
        presets: folder of YAML files that forms can be filled from.
    """

    runs_root: Path
    host: str = "127.0.0.1"
    port: int = PORT
    token: str | None = None
    slots: int | None = None
    presets: Path = Path("configs")

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and self.token is None:
            raise ConfigError(
                f"--host {self.host} lets other machines in, and whoever can open the page can start programs here: "
                "give a --token too, or leave --host out and reach the page through an SSH tunnel"
            )
        if self.token is not None and len(self.token) < TOKEN_LENGTH:
            raise ConfigError(f"--token has {len(self.token)} characters; it needs at least {TOKEN_LENGTH}")

    @property
    def state_folder(self) -> Path:
        """Where the server keeps its lock and its secret; lists of runs do not enter it."""
        return self.runs_root / STATE_FOLDER

    @property
    def names(self) -> frozenset[str]:
        """Every `Host` header that is answered."""
        names = {*LOOPBACK_NAMES, _bracketed(self.host)}
        if not is_loopback(self.host):
            names |= {socket.gethostname().lower()}
        if self.host in ("0.0.0.0", "::"):
            names |= {
                _bracketed(address.address.partition("%")[0])
                for addresses in psutil.net_if_addrs().values()
                for address in addresses
                if address.family in (socket.AF_INET, socket.AF_INET6)
            }
        return frozenset(f"{name}:{self.port}" for name in names) | (names if self.port == 80 else frozenset())


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()
