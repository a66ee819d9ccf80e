"""The metrics of the chassis. Each service has further metrics in its `metrics.py`.

Names follow the Prometheus conventions: base units, `_total` for counters, labels of few values.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS_HANDLED = Counter("rondo_events_handled", "Events handled, by outcome", ["event", "outcome"])
EVENT_SECONDS = Histogram("rondo_event_handling_seconds", "Time to handle an event, its retries included", ["event"])
EVENTS_PUBLISHED = Counter("rondo_events_published", "Events that the outbox relay published", ["topic"])
OUTBOX_PENDING = Gauge("rondo_outbox_pending", "Events written and not yet published")
DEAD_LETTERS = Counter("rondo_dead_letters", "Messages sent to the dead letters", ["topic", "exception"])
DEPENDENCY_UP = Gauge("rondo_dependency_up", "1 while the dependency answers", ["dependency"])
HTTP_REQUEST_SECONDS = Histogram(
    "rondo_http_request_seconds", "Time to answer a request of the API", ["method", "route", "status"]
)
STREAM_RECORDS = Counter("rondo_stream_records", "Records that a stream read", ["stream"])
STREAM_BATCH_SECONDS = Histogram("rondo_stream_batch_seconds", "Time for one micro-batch, commit included", ["stream"])
STREAM_LAG = Gauge("rondo_stream_lag_records", "Records between the end of the topic and the stream", ["stream"])
STREAM_SKIPPED = Counter("rondo_stream_skipped_records", "Records that a follower fails on and skips", ["stream"])
STREAM_REWRITES = Counter("rondo_stream_rewrites", "Micro-batches written again after a rebalance", ["stream"])
STREAM_DROPS = Counter("rondo_stream_drops", "Micro-batches dropped because a partition moved", ["stream"])
STREAM_REASSIGNMENTS = Counter("rondo_stream_reassignments", "Reassignments of partitions without owner", ["stream"])
STREAM_RESTARTS = Counter("rondo_stream_restarts", "Restarts of a stream after a failure", ["stream"])
