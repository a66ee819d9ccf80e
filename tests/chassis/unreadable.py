"""Sends records with a header whose name is not UTF-8, as clients in other languages can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c
from rondo.contracts.kafka_connection import KafkaConnection

if TYPE_CHECKING:
    from collections.abc import Sequence

    Headers = Sequence[tuple[str, bytes]]

# No Python client writes such a name. So the bytes of the finished batch and its checksum are changed (KIP-98).
UNREADABLE = ("unreadable", b"v")
_READABLE_BYTES, _OTHER_BYTES = b"\x14unreadable", b"\x14unread\xff\xfe\xff\xfe"


async def send_batch(bootstrap: str, topic: str, *records: tuple[bytes, Headers], partition: int = 0) -> None:
    """Send records as one batch. A header UNREADABLE gets a name that is not UTF-8."""
    async with AIOKafkaProducer(**KafkaConnection(bootstrap).aiokafka()) as producer:
        batch = producer.create_batch()
        for value, headers in records:
            batch.append(key=b"m", value=value, timestamp=None, headers=list(headers))
        batch.close()
        changed = bytearray(bytes(batch._build()).replace(_READABLE_BYTES, _OTHER_BYTES))
        changed[17:21] = calc_crc32c(changed[21:]).to_bytes(4, "big")
        batch._buffer = changed
        await (await producer.send_batch(batch, topic, partition=partition))
