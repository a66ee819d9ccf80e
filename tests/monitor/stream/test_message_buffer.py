"""Buffered messages: their order, their bound, and the timeout of profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.monitor.stream.log_messages import Predictions, read_predictions
from rondo.monitor.stream.message_buffer import MessageBuffer

from tests.monitor.builders import DIGEST, DIGEST_2, encode_predictions, predictions, rows, times

if TYPE_CHECKING:
    from collections.abc import Sequence


def push(buffer: MessageBuffer, version: int, digest: str, now: float, role: str = "primary") -> list[Predictions]:
    table = predictions(rows(np.random.default_rng(0), 10), times(0, 10), [f"{now}-{i}" for i in range(10)])
    value = encode_predictions(table, version, digest, role)
    return buffer.push(value, read_predictions(value), now)


def versions(batches: Sequence[Predictions]) -> list[int]:
    return [each.version for each in batches]


def test_messages_behind_one_without_a_profile_wait() -> None:
    buffer = MessageBuffer()
    for version, digest in ((2, DIGEST_2), (1, DIGEST), (2, DIGEST_2)):
        push(buffer, version, digest, now=10.0)
    assert versions(buffer.pop_ready({DIGEST_2}, timed_out=9.0)) == [2]
    assert versions(buffer.pop_ready({DIGEST, DIGEST_2}, timed_out=9.0)) == [1, 2]
    assert (buffer.size, len(buffer.messages)) == (0, 0)


@pytest.mark.parametrize("role", ["canary", "shadow"])
def test_a_candidate_without_a_profile_waits_alone(role: str) -> None:
    buffer = MessageBuffer()
    for version, digest, its_role in ((2, DIGEST_2, role), (1, DIGEST, "primary"), (2, DIGEST_2, role)):
        push(buffer, version, digest, 10.0, its_role)
    assert versions(buffer.pop_ready({DIGEST}, timed_out=9.0)) == [1]
    assert not buffer.primary_waits
    assert versions(buffer.pop_ready({DIGEST_2}, timed_out=9.0)) == [2, 2]
    assert (buffer.size, len(buffer.messages)) == (0, 0)


def test_a_candidate_does_not_wait_for_the_primary() -> None:
    buffer = MessageBuffer()
    push(buffer, 1, DIGEST, now=10.0)
    push(buffer, 2, DIGEST_2, 10.0, "canary")
    assert versions(buffer.pop_ready({DIGEST_2}, timed_out=9.0)) == [2]
    assert buffer.primary_waits


def test_the_oldest_messages_are_evicted_and_each_version_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    buffer = MessageBuffer()
    push(buffer, 1, DIGEST, now=10.0)
    push(buffer, 1, DIGEST, now=10.0)
    buffer.max_bytes = buffer.size
    assert [versions(push(buffer, 2, DIGEST, now=20.0)) for _ in range(3)] == [[1], [1], [2]]
    assert [record.args[1] for record in caplog.records] == [1, 2]  # type: ignore[index]


def test_rows_are_numbered_in_order_of_arrival() -> None:
    buffer = MessageBuffer()
    for _ in range(3):
        push(buffer, 1, DIGEST, now=10.0)
    buffer.pop_ready({DIGEST}, timed_out=0.0)
    push(buffer, 1, DIGEST, now=10.0)
    assert [each.row for each in buffer.messages] == [3]
