"""The address of Rondo: from the environment, from the stack that runs here, or a clear error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from rondo.client import Connection
from rondo.client.errors import NoConnectionError
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded import Addresses

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = {
    "RONDO_KAFKA": "kafka:9092",
    "RONDO_REGISTRY_URL": "http://registry:8080/",
    "RONDO_INGESTION_URL": "http://ingestion:8080",
    "RONDO_SERVING_URL": "http://serving:8080",
    "RONDO_TOKEN": "secret",
}
SERVICES = ("ingestion", "trainer", "registry", "serving", "monitor")


def write_stack(home: Path) -> None:
    home.mkdir()
    Addresses(
        pid=1,
        started="2013-01-01T00:00:00Z",
        kafka="127.0.0.1:9",
        http={name: f"http://127.0.0.1/{name}" for name in SERVICES},
        postgres={},
        token="of the stack",
        tokens={},
        token_seeds="",
        **dict.fromkeys(("artifacts", "data", "inbox", "logs"), ""),
    ).write(home)


def test_the_connection_is_read_from_the_environment(tmp_path: Path) -> None:
    found = Connection.discover(VARIABLES, tmp_path)
    assert (str(found.kafka), found.registry, found.monitor) == ("kafka:9092", "http://registry:8080", None)
    assert found.token.get_secret_value() == "secret"


def test_the_token_is_not_shown(tmp_path: Path) -> None:
    assert "secret" not in repr(Connection.discover(VARIABLES, tmp_path))


def test_the_token_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file\n")
    environ = VARIABLES | {"RONDO_TOKEN": "", "RONDO_TOKEN_FILE": str(tmp_path / "token")}
    assert Connection.discover(environ, tmp_path).token.get_secret_value() == "from a file"


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    environ = VARIABLES | {"RONDO_TOKEN": "", "RONDO_TOKEN_FILE": "/nowhere"}
    with pytest.raises(NoConnectionError) as caught:
        Connection.discover(environ, tmp_path)
    assert ["RONDO_TOKEN_FILE" in caught.value.why, "/nowhere" in caught.value.why] == [True, True]


def test_variables_that_are_missing_are_named(tmp_path: Path) -> None:
    environ = {"RONDO_REGISTRY_URL": "http://registry", "RONDO_KAFKA": "kafka:9092"}
    with pytest.raises(NoConnectionError) as caught:
        Connection.discover(environ, tmp_path)
    missing = {"RONDO_INGESTION_URL", "RONDO_SERVING_URL", "RONDO_TOKEN"}
    assert {name for name in VARIABLES if name in caught.value.why} == missing


def test_a_malformed_kafka_address_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoConnectionError) as caught:
        Connection.discover(VARIABLES | {"RONDO_KAFKA": "kafka"}, tmp_path)
    assert ["RONDO_KAFKA" in caught.value.why, "'kafka'" in caught.value.why] == [True, True]


def test_a_token_of_the_environment_replaces_the_admins_of_the_stack(tmp_path: Path) -> None:
    write_stack(tmp_path / ".rondo")
    found = Connection.discover({"RONDO_TOKEN": "of a reader"}, tmp_path)
    assert found.token.get_secret_value() == "of a reader"


@pytest.mark.parametrize("environ", [{}, {"RONDO_KAFKA": "for the stack"}])
def test_without_urls_it_is_the_stack_of_this_folder(tmp_path: Path, environ: dict[str, str]) -> None:
    write_stack(tmp_path / ".rondo")
    found = Connection.discover(environ, tmp_path)
    assert (str(found.kafka), found.monitor) == ("127.0.0.1:9", "http://127.0.0.1/monitor")
    assert found.token.get_secret_value() == "of the stack"


def test_rondo_home_names_another_folder(tmp_path: Path) -> None:
    write_stack(tmp_path / "elsewhere")
    assert Connection.discover({"RONDO_HOME": "elsewhere"}, tmp_path).kafka == KafkaConnection("127.0.0.1:9")


def test_without_any_configuration_the_error_names_the_command_to_start(tmp_path: Path) -> None:
    with pytest.raises(NoConnectionError) as caught:
        Connection.discover({}, tmp_path)
    assert caught.value.code == "no_connection"
    assert [each in str(caught.value) for each in (str(tmp_path / ".rondo"), "RONDO_HOME", "`rondo up`")] == [True] * 3


@pytest.mark.parametrize("content", ["{half", json.dumps({"kafka": "x"}), "[]"])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / ".rondo").mkdir()
    (tmp_path / ".rondo" / "stack.json").write_text(content)
    with pytest.raises(NoConnectionError) as caught:
        Connection.discover({}, tmp_path)
    assert str(tmp_path / ".rondo" / "stack.json") in caught.value.why
