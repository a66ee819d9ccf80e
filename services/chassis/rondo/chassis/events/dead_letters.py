"""What becomes a dead letter: the original bytes and why, within what the topic of the dead letters takes.

A dead letter that its topic refuses would hold up the partition for ever, and what arrived compressed, or with a huge
key or header, can be larger than any topic takes. So what is too large is left out, and the letter says what that was
and where the original lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.chassis.errors import Origin, dead_letter_headers
from rondo.chassis.stream.records import Record, headers_of, place
from rondo.contracts.topics import BY_NAME, DROPPED_HEADER, HEADER_ROOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from confluent_kafka import Message

# As large as a key may reasonably be; with the original headers it stays well within HEADER_ROOM.
MAX_KEY_BYTES = 4 * 1024
_MAX_HEADER_BYTES = HEADER_ROOM // 2
# What a header takes beside its name and its text: two lengths, at most 5 bytes each.
_FRAME = 10


@dataclass(frozen=True)
class Letter:
    """The key, the value and the headers of a dead letter."""

    value: bytes | None
    key: bytes | None
    headers: dict[str, str | bytes]


def letter(
    topic: str, value: bytes | None, key: bytes | None, headers: Iterable[tuple[str, bytes | None]], origin: Origin
) -> Letter:
    """Return as much of an original as `topic` takes; a header that comes twice is kept once, the last one."""
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
        kept[DROPPED_HEADER] = f"too large for a dead letter: {', '.join(dropped)}; the original lies in {where}"
    return Letter(value, key, kept)


def dead_letter(
    message: Message, topic: str, group: str, error: BaseException, attempts: int = 1, **more: str
) -> Record:
    """Return the dead letter of a message that a stream read; `more` are headers beside those of every dead letter."""
    origin = Origin(*place(message), group)
    made = letter(topic, message.value(), message.key(), headers_of(message), origin)
    why: Mapping[str, str] = dead_letter_headers(origin, error, attempts, datetime.now(UTC))
    return Record(topic, made.value, made.key, {**made.headers, **why, **more})
