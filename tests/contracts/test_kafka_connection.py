from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer
from pydantic import SecretStr
from rondo.contracts.kafka_connection import InvalidAddressError, KafkaConnection, Sasl, Tls

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSWORD = SecretStr("a-password")
SCRAM = Sasl("serving", PASSWORD)


@pytest.mark.parametrize("servers", ["localhost:9092", "a:1,b:2", "a:1, b:2", "[::1]:9092", "kafka.example.org:29092"])
def test_addresses(servers: str) -> None:
    assert str(KafkaConnection(servers)) == servers


@pytest.mark.parametrize(
    ("servers", "entry"),
    [
        ("", ""),
        ("kafka", "kafka"),
        ("a:1,", ""),
        ("a:0", "a:0"),
        ("a:65536", "a:65536"),
        ("a b:1", "a b:1"),
        ("::1:9092", "::1:9092"),
    ],
)
def test_what_is_no_address_is_named(servers: str, entry: str) -> None:
    with pytest.raises(InvalidAddressError) as caught:
        KafkaConnection(servers)
    assert caught.value.entry == entry
    assert "is not an address: write host:port, and a comma between several" in str(caught.value)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("sasl", "tls", "protocol"),
    [(None, None, "PLAINTEXT"), (None, Tls(), "SSL"), (SCRAM, None, "SASL_PLAINTEXT"), (SCRAM, Tls(), "SASL_SSL")],
)
async def test_both_libraries_take_the_options(sasl: Sasl | None, tls: Tls | None, protocol: str) -> None:
    connection = KafkaConnection("127.0.0.1:1", sasl, tls)
    ours: Mapping[str, Any] = connection.confluent()
    theirs = connection.aiokafka()
    assert ours["security.protocol"] == theirs["security_protocol"] == protocol
    assert (ours.get("sasl.password"), theirs.get("sasl_plain_password")) == (
        ("a-password",) * 2 if sasl else (None,) * 2
    )
    assert isinstance(theirs.get("ssl_context"), ssl.SSLContext) == (tls is not None)
    Consumer({**ours, "group.id": "unused", "log_level": 0}).close()
    await AIOKafkaConsumer(**theirs).stop()


def test_no_password_in_what_is_logged() -> None:
    assert PASSWORD.get_secret_value() not in f"{KafkaConnection('a:1', SCRAM)} {KafkaConnection('a:1', SCRAM)!r}"


def test_every_librdkafka_client_reconnects_at_once() -> None:
    """A connection closed while idle must not delay the next record by librdkafka's backoff of up to 10 s."""
    assert KafkaConnection("a:1").confluent()["reconnect.backoff.max.ms"] == 100
