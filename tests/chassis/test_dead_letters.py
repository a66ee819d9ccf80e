"""A dead letter keeps as much of the original as its topic accepts."""

from __future__ import annotations

import re

from rondo.chassis.dead_letters import MAX_KEY_BYTES, bounded
from rondo.chassis.errors import Origin
from rondo.contracts.topics import BY_NAME, HEADER_ROOM

TOPIC = "predictions.failed"
ORIGIN = Origin("predictions.requested", 3, 40, "serving")


def test_an_original_is_kept_byte_for_byte() -> None:
    made = bounded(TOPIC, b"\xff\x00", b"\xfe", [("a", b"\xfd"), ("empty", None)], ORIGIN)
    assert (made.value, made.key, made.headers) == (b"\xff\x00", b"\xfe", {"a": b"\xfd", "empty": b""})


def test_parts_that_are_too_large_are_dropped_and_named_with_their_origin() -> None:
    value, key = bytes(20_000_000), bytes(MAX_KEY_BYTES + 1)
    made = bounded(TOPIC, value, key, [("h", bytes(3_000_000))], ORIGIN)
    assert (made.value, made.key) == (None, None)
    assert made.headers.keys() == {"__dlq.errors.dropped"}
    described = made.headers["__dlq.errors.dropped"]
    assert re.findall(r"\d+(?:,\d+)*", described) == ["20,000,000", "4,097", "1", "3,000,011", "3", "40"]
    assert ORIGIN.topic in described


def test_the_largest_that_is_kept_fits_with_all_its_headers() -> None:
    limit = BY_NAME[TOPIC].max_message_bytes
    for headers in ([("h", bytes(HEADER_ROOM // 2 - 11))], [(f"{n:04x}", b"") for n in range(HEADER_ROOM // 2 // 14)]):
        made = bounded(TOPIC, bytes(limit - HEADER_ROOM), bytes(MAX_KEY_BYTES), headers, ORIGIN)
        assert (made.value is not None, made.key is not None, len(made.headers)) == (True, True, len(headers))
        taken = sum(len(name) + len(text) + 10 for name, text in made.headers.items())
        size = len(made.value or b"") + len(made.key or b"") + taken
        assert size < limit - HEADER_ROOM // 4, "there is room for the headers of every dead letter"


def test_very_many_tiny_headers_count_with_what_frames_them() -> None:
    made = bounded(TOPIC, b"v", b"k", [(f"{n:04x}", b"") for n in range(16_384)], ORIGIN)
    assert list(made.headers) == ["__dlq.errors.dropped"]
