"""All metrics of serving."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

PREDICTIONS = Counter(
    "rondo_predictions", "Requests answered, answered again (repeated) or refused", ["model", "version", "outcome"]
)
BULK_ROWS = Counter(
    "rondo_bulk_rows", "Rows of bulk requests that were answered or refused", ["model", "version", "outcome"]
)
BATCH_ROWS = Histogram(
    "rondo_prediction_batch_rows", "Requests in one inference", ["model"], buckets=(1, 4, 16, 64, 256, 1024, 4096)
)
INFERENCE_SECONDS = Histogram("rondo_inference_seconds", "Time of one inference of a micro-batch", ["model"])
ANSWER_CACHE_ROWS = Counter(
    "rondo_answer_cache_rows", "Rows that the answer cache had (hit) or the model scored (miss)", ["model", "result"]
)
REFUSED_VERSION = Gauge(
    "rondo_refused_version",
    "The version that should serve a model and that this replica refuses; 0 for none",
    ["model"],
)
GRPC_CALL_SECONDS = Histogram("rondo_grpc_call_seconds", "Time to answer a call over gRPC", ["method", "status"])
LOST_LOG_ROWS = Counter(
    "rondo_predictions_lost_log_rows",
    "Rows of `serving.log: buffered` that were answered and whose record failed, or has no acknowledgement",
    ["model"],
)
ANSWERS_FORGOTTEN = Counter(
    "rondo_deduplication_forgotten_answers",
    "Answers that were dropped before the window of their model ended: RONDO_DEDUPLICATED_ANSWERS is too small",
    ["model"],
)
QUEUE_SECONDS = Gauge(
    "rondo_queue_seconds",
    "Age of the oldest request in the queue that a model has of its own; 0 where it has none",
    ["model"],
)
UNKNOWN_NAMES = Counter(
    "rondo_requests_with_unknown_names",
    "Requests that were answered with a warning about a feature or field that the model does not have",
    ["model"],
)
TIMESTAMPS_IGNORED = Counter(
    "rondo_prediction_timestamps_ignored", "Requests whose timestamp is impossible, left out of the latency histogram"
)


@cache
def inference_seconds(model: str) -> Histogram:
    """Return the histogram of a model. It is cached, because the lookup costs as much as an observation."""
    return INFERENCE_SECONDS.labels(model)


class ColumnHistogram(Collector):
    """A Prometheus histogram without labels that observes a whole column in one call."""

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        self._name, self._documentation = name, documentation
        self._bounds = np.array(bounds)
        self._counts = np.zeros(len(bounds) + 1, dtype=np.int64)
        self._sum = 0.0
        self._lock = threading.Lock()
        REGISTRY.register(self)

    def observe(self, values: NDArray[np.float64]) -> None:
        """Observe values of shape [N]."""
        places = np.bincount(np.searchsorted(self._bounds, values, side="left"), minlength=len(self._counts))
        with self._lock:
            self._counts += places
            self._sum += float(values.sum())

    def collect(self) -> Iterable[HistogramMetricFamily]:
        with self._lock:
            reached, total = np.cumsum(self._counts).tolist(), self._sum
        names = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        buckets = list(zip(names, reached, strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=total)


END_TO_END_SECONDS = ColumnHistogram(
    "rondo_prediction_end_to_end_seconds", "From the time stamp of a request to its answer's commit",
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0),
)  # fmt: skip
