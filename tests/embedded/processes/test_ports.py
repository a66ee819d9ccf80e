"""Ports: free ones by default, and a clear error for a configured one that is taken."""

import socket
from pathlib import Path

import pytest
from rondo.embedded.errors import BadPortError, PortTakenError
from rondo.embedded.processes.ports import LOOPBACK, HomePorts, chosen_port, free_port, is_free


def test_no_port_is_handed_out_twice() -> None:
    """Two servers that have not yet bound their ports get different ones."""
    given = [free_port() for _ in range(50)]
    assert len(set(given)) == 50
    assert all(is_free(port) for port in given)


def test_an_unset_variable_gives_a_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default needs no configuration."""
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
    """The side that closes first keeps the pair of addresses for a minute (TIME_WAIT). A server may listen again."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)) as client:
            accepted, _ = server.accept()
            accepted.close()
            assert client.recv(1) == b""
    assert is_free(port)


@pytest.mark.parametrize("value", ["http", "0", "65536", "-1"])
def test_what_is_no_port_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A typo is an error before any process starts."""
    monkeypatch.setenv("RONDO_PORT_REGISTRY", value)
    with pytest.raises(BadPortError) as raised:
        chosen_port("RONDO_PORT_REGISTRY")
    assert (raised.value.value, raised.value.variable) == (value, "RONDO_PORT_REGISTRY")


def test_a_home_keeps_its_ports(tmp_path: Path) -> None:
    names = ("kafka", "postgres", "registry")
    first = HomePorts(tmp_path)
    ports = [first.port(name) for name in names]
    first.save()
    again = HomePorts(tmp_path)
    assert [again.port(name) for name in names] == ports


def test_a_port_that_was_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    first = HomePorts(tmp_path)
    port, other = first.port("kafka"), first.port("postgres")
    first.save()
    with socket.create_server((LOOPBACK, port)):
        again = HomePorts(tmp_path)
        assert again.port("kafka") not in {port, other}
        assert again.port("postgres") == other


@pytest.mark.parametrize("content", ["", "[]", '{"kafka": "1"}', '{"kafka": 0, "postgres": 0}', '{"kafka": 99999}'])
def test_an_unusable_file_of_ports_is_ignored(tmp_path: Path, content: str) -> None:
    (tmp_path / "ports.json").write_text(content)
    ports = HomePorts(tmp_path)
    assert is_free(ports.port("kafka"))
    assert ports.port("kafka") != ports.port("postgres")


def test_a_configured_port_comes_before_that_of_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, wanted = HomePorts(tmp_path), free_port()
    monkeypatch.delenv("RONDO_PORT_REGISTRY", raising=False)
    before = first.chosen("registry", "RONDO_PORT_REGISTRY")
    first.save()
    monkeypatch.setenv("RONDO_PORT_REGISTRY", str(wanted))
    assert HomePorts(tmp_path).chosen("registry", "RONDO_PORT_REGISTRY") == wanted != before
