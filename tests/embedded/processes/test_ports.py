"""Ports: free ones by default, and a clear error for a configured one that is taken."""

import socket

import pytest
from rondo.embedded.errors import BadPortError, PortTakenError
from rondo.embedded.processes.ports import LOOPBACK, chosen_port, free_port, is_free


def test_no_port_is_handed_out_twice() -> None:
    """Two servers that have not bound theirs yet get different ones."""
    given = [free_port() for _ in range(50)]
    assert len(set(given)) == 50
    assert all(is_free(port) for port in given)


def test_an_unset_variable_gives_a_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default just works."""
    monkeypatch.delenv("RONDO_PORT_REGISTRY", raising=False)
    assert is_free(chosen_port("RONDO_PORT_REGISTRY"))


def test_a_taken_port_is_named_with_its_variable_and_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable to change."""
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("RONDO_PORT_REGISTRY", str(port))
        with pytest.raises(PortTakenError) as caught:
            chosen_port("RONDO_PORT_REGISTRY")
    assert str(caught.value) == (
        f"port {port} (RONDO_PORT_REGISTRY) is taken by another program: stop that one, "
        "set RONDO_PORT_REGISTRY to another port, or unset it to get a free one."
    )


def test_a_port_is_free_although_an_old_connection_of_its_former_server_lingers() -> None:
    """The side that closes first keeps the pair of addresses for a minute (TIME_WAIT); a server may listen again."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)) as client:
            accepted, _ = server.accept()
            accepted.close()
            assert client.recv(1) == b""
    assert is_free(port)


@pytest.mark.parametrize("value", ["http", "0", "65536", "-1"])
def test_what_is_no_port_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A typo is an error before anything starts."""
    monkeypatch.setenv("RONDO_PORT_REGISTRY", value)
    with pytest.raises(BadPortError) as raised:
        chosen_port("RONDO_PORT_REGISTRY")
    assert (raised.value.value, raised.value.variable) == (value, "RONDO_PORT_REGISTRY")
