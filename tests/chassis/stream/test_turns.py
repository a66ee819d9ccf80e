"""The number of messages of a micro-batch is bounded by what the transform takes in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.chassis.stream.config import StreamSettings
from rondo.chassis.stream.exactly_once import ExactlyOnceStream
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import PREDICTIONS_FAILED

from tests.chassis.stream.copies import QUICK, Copy, Topics, running
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.chassis.stream.transform import Output


class Counting(Copy):
    """Records the sizes of its micro-batches. It takes one message more than before each time."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.sizes: list[int] = []

    def max_records(self) -> int:
        return 1 + len(self.sizes)

    def __call__(self, messages: Sequence[Any]) -> Output:
        self.sizes.append(len(messages))
        return super().__call__(messages)


async def test_a_micro_batch_has_at_most_the_messages_that_the_transform_takes(kafka: str) -> None:
    source = Topics(kafka)
    source.fill(60)
    transform = Counting(source.target)
    settings = StreamSettings(
        KafkaConnection(kafka), source.name, "a", (source.source,), PREDICTIONS_FAILED, max_records=8
    )
    async with running(ExactlyOnceStream(settings, transform, QUICK, max_records=transform.max_records)):
        await until(lambda: sum(transform.sizes) >= 60)
    assert len(source.read(60)) == 60
    assert all(size <= min(1 + place, 8) for place, size in enumerate(transform.sizes))
    assert max(transform.sizes) > 4


def test_the_time_between_two_polls_is_no_shorter_than_the_session_which_librdkafka_would_refuse() -> None:
    for seconds in (10.0, 120.0):
        settings = StreamSettings(KafkaConnection("nowhere:1"), "s", "a", ("t",), "failed", session_timeout=seconds)
        assert settings.consumer_config()["max.poll.interval.ms"] >= settings.consumer_config()["session.timeout.ms"]
