"""The status of requests that repeat others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from rondo.contracts.training_evidence import RepeatedRows
    from rondo.monitor.quality.repeats import Repeats


class RepeatStatus(Value):
    """The repeated requests of the newest window that event time has passed, from `start` to `end`.

    `rows` is the number of its requests with an entity and an event time. The share `requests` of them repeats another
    one, with a standard `error` of the estimate. `features` is the share of its requests whose features repeat.
    `newest_features` is that share in the newest blocks of requests. `training` is that share in blocks of as many
    training rows. Both are None if the training had too few rows.
    """

    start: Utc
    end: Utc
    rows: int
    requests: float | None
    error: float
    features: float | None
    newest_features: float | None
    training: float | None


def repeat_status(repeats: Repeats, length: int, usual: RepeatedRows | None) -> RepeatStatus | None:
    """Return the status, or None before a window has passed. `length` is the length of a window in microseconds."""
    if not repeats.closed:
        return None
    start = max(repeats.closed)
    shares = repeats.closed[start]
    newest, training = repeats.features.newest(usual) if usual and repeats.features.shares else (None, None)
    return RepeatStatus(
        start=to_time(start),
        end=to_time(start + length),
        rows=shares.rows,
        requests=shares.requests,
        error=shares.error,
        features=shares.features,
        newest_features=newest,
        training=training,
    )
