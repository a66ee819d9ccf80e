"""Builds dead letters: the original bytes and the reason, within the size that the dead-letter topic accepts.

A dead letter that its topic refuses would block the partition permanently. An original that arrived compressed, or with
a huge key or header, can be larger than any topic accepts, so parts that are too large are omitted. A header then lists
them, and the position of the original.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.chassis import metrics
from rondo.chassis.errors import Origin, dead_letter_headers
from rondo.chassis.kafka_records import Record, headers_of, place
from rondo.contracts.topics import BY_NAME, DROPPED_HEADER, HEADER_ROOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from confluent_kafka import Message

log = logging.getLogger(__name__)
# The key and the original headers together stay well within HEADER_ROOM.
MAX_KEY_BYTES = 4 * 1024
_MAX_HEADER_BYTES = HEADER_ROOM // 2
# The size of a header without its name and value: two lengths, at most 5 bytes each.
_FRAME = 10


@dataclass(frozen=True)
class DeadLetter:
    """The key, the value and the headers of a dead letter."""

    value: bytes | None
    key: bytes | None
    headers: dict[str, str | bytes]


def bounded(
    topic: str, value: bytes | None, key: bytes | None, headers: Iterable[tuple[str, bytes | None]], origin: Origin
) -> DeadLetter:
    """Return as much of an original as `topic` accepts. If headers have the same name, the last one is kept."""
    dropped: list[str] = []
    limit = BY_NAME[topic].max_message_bytes - HEADER_ROOM
    if value is not None and len(value) > limit:
        dropped.append(f"the value of {len(value):,} bytes")
        value = None
    if key is not None and len(key) > MAX_KEY_BYTES:
        dropped.append(f"the key of {len(key):,} bytes")
        key = None
    kept: dict[str, str | bytes] = {name: text or b"" for name, text in headers}
    if (size := sum(len(name) + len(text) + _FRAME for name, text in kept.items())) > _MAX_HEADER_BYTES:
        dropped.append(f"{len(kept)} headers of {size:,} bytes")
        kept = {}
    if dropped:
        where = f"{origin.topic}, partition {origin.partition}, offset {origin.offset}"
        kept[DROPPED_HEADER] = f"too large for a dead letter: {', '.join(dropped)}; the original is in {where}"
    return DeadLetter(value, key, kept)


def dead_letter(
    message: Message, topic: str, group: str, error: BaseException, attempts: int = 1, **more: str
) -> Record:
    """Return the dead letter of a message that a stream read. `more` are additional headers."""
    origin = Origin(*place(message), group)
    made = bounded(topic, message.value(), message.key(), headers_of(message), origin)
    why: Mapping[str, str] = dead_letter_headers(origin, error, attempts, datetime.now(UTC))
    return Record(topic, made.value, made.key, {**made.headers, **why, **more})


def report_unprocessable(message: Message, topic: str, error: BaseException) -> None:
    """Log and count a message that becomes a dead letter on `topic`, because its processing fails repeatedly."""
    origin, partition, offset = place(message)
    log.error(
        "message %d of %s-%d becomes a dead letter on %s: %s: %s",
        offset, origin, partition, topic, type(error).__name__, error,
    )  # fmt: skip
    metrics.DEAD_LETTERS.labels(origin, type(error).__name__).inc()
