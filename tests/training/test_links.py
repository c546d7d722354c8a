"""Over which network processes speak, and how long they put up with silence."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from halo_forge.core.errors import ConfigError
from halo_forge.training import links


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv(links.NETWORK, "")  # so that what is set is taken back
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    yield monkeypatch


def test_processes_of_one_machine_speak_over_loopback() -> None:
    links.choose_network()
    assert os.environ[links.NETWORK] == "lo"


def test_an_interface_that_was_named_stays(environment: pytest.MonkeyPatch) -> None:
    environment.setenv(links.NETWORK, "eth7")
    environment.setenv("LOCAL_WORLD_SIZE", "1")
    links.choose_network()
    assert os.environ[links.NETWORK] == "eth7"


@pytest.mark.parametrize("first", ["localhost", "127.0.0.1"])
def test_an_address_that_only_this_machine_reaches_is_refused(environment: pytest.MonkeyPatch, first: str) -> None:
    environment.setenv("MASTER_ADDR", first)
    environment.setenv("LOCAL_WORLD_SIZE", "1")
    with pytest.raises(ConfigError, match="which other machines cannot reach: give accelerate launch"):
        links.choose_network()


def test_an_unknown_name_is_left_to_whoever_connects(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MASTER_ADDR", "no-such-host.invalid")
    links.choose_network()
    assert not os.environ[links.NETWORK]


def test_connections_are_given_up_after_a_silence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            assert not client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            links.give_up_silence()
            for link in (client, accepted):
                assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                idle = link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
                probes = link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
                assert idle + probes * link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 300
                assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 300_000
            assert not server.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            client.sendall(b"still there")
            assert accepted.recv(99) == b"still there"
