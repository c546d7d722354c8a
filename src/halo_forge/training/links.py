"""The connections between processes that train together on several machines.

gloo waits for an answer for as long as the leader may draw, which is days. A machine that is switched off, or a link
that is cut, says no goodbye: only the kernel can tell that nobody is there any more.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

import psutil

from halo_forge.core.errors import ConfigError

LONGEST_SILENCE_S = 300  # until a machine that does not even acknowledge is given up
NETWORK = "GLOO_SOCKET_IFNAME"


def choose_network() -> None:
    """Have gloo use the network interface by which the first machine is reached, unless one was named.

    By itself it takes the address that this machine's own name stands for, which often is 127.0.0.1.

    Raises:
        ConfigError: the first machine's address is one that only this machine can reach, and there are others.
    """
    first = os.environ.get("MASTER_ADDR", "")
    if os.environ.get(NETWORK) or not first:
        return
    ours = _address_towards(first)
    if ours is None:  # what is wrong with it is said when it is connected to
        return
    alone = os.environ.get("LOCAL_WORLD_SIZE") == os.environ.get("WORLD_SIZE")
    names = [name for name, known in psutil.net_if_addrs().items() if any(each.address == ours for each in known)]
    if not alone and (ours == "::1" or ours.startswith("127.")):
        raise ConfigError(
            f"the first machine's address {first} stands for {ours} here, which other machines cannot reach: give "
            f"accelerate launch --main_process_ip an address of its network, or name the interface in {NETWORK}"
        )
    if names:
        os.environ[NETWORK] = names[0]


def give_up_silence() -> None:
    """Have the connections that there are break once the other machine has not acknowledged anything for so long.

    A process that is busy or stopped is waited for: its kernel acknowledges.
    """
    for connection in psutil.Process().net_connections("tcp"):
        if connection.raddr and connection.fd >= 0:
            with suppress(OSError), socket.socket(fileno=os.dup(connection.fd)) as link:
                _limit_silence(link)


def _limit_silence(link: socket.socket) -> None:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    limits = {  # probes while nothing is on its way, and a limit on what is
        "TCP_KEEPIDLE": max(1, LONGEST_SILENCE_S // 4),
        "TCP_KEEPINTVL": max(1, LONGEST_SILENCE_S // 12),
        "TCP_KEEPCNT": 9,
        "TCP_USER_TIMEOUT": LONGEST_SILENCE_S * 1000,
    }
    for name, value in limits.items():
        if (option := vars(socket).get(name)) is not None:  # which of them there are depends on the system
            link.setsockopt(socket.IPPROTO_TCP, option, value)


def _address_towards(host: str) -> str | None:
    """This machine's own address on the way to another; nothing is sent."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 1, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)
            ours: str = probe.getsockname()[0]
    except OSError:
        return None
    return ours
