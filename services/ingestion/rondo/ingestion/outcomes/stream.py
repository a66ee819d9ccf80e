"""Streams `outcomes.observed` to `outcomes.log`, exactly once. An invalid message becomes a dead letter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.chassis.dead_letters import dead_letter
from rondo.chassis.kafka_records import Record
from rondo.chassis.stream.config import StreamSettings
from rondo.chassis.stream.transform import Output
from rondo.contracts.events import logs
from rondo.contracts.events.predictions import OutcomeObserved
from rondo.contracts.topics import dead_letters
from rondo.ingestion import metrics
from rondo.ingestion.outcomes.parser import parse_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import Message

    from rondo.ingestion.settings import IngestionSettings
    from rondo.ingestion.spec_cache import SpecCache

_GROUP = "ingestion-outcomes"


def outcome_stream(settings: IngestionSettings) -> StreamSettings:
    """Return the configuration of the stream. It lingers 0.1 s, because no client waits for an answer."""
    return StreamSettings(
        kafka=settings.kafka,
        name=_GROUP,
        instance=settings.instance,
        topics=(OutcomeObserved.topic,),
        dead_letters=dead_letters("ingestion"),
        linger=0.1,
        producer={"compression.type": "lz4"},
    )


class OutcomeTransform:
    """Transforms `outcomes.observed` to `outcomes.log` and dead letters, in the same transaction."""

    def __init__(self, specs: SpecCache, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._specs = specs
        self._clock = clock

    def __call__(self, messages: Sequence[Message], /) -> Output:
        """Return one record of `outcomes.log` for each model, and one dead letter for each invalid message."""
        parsed = parse_outcomes([message.value() for message in messages], self._specs.labels, self._clock())
        records = [
            Record(logs.OUTCOMES_LOG, logs.encode(columns.batch(model)), model.encode())
            for model, columns in parsed.valid.items()
        ]
        records += [
            dead_letter(messages[index], dead_letters("ingestion"), _GROUP, error) for index, error in parsed.invalid
        ]

        def count() -> None:
            metrics.OUTCOMES.labels("accepted").inc(len(messages) - len(parsed.invalid))
            metrics.OUTCOMES.labels("dead_letter").inc(len(parsed.invalid))

        # The metrics count committed micro-batches, because an aborted one is delivered again.
        return Output(records, committed=count)
