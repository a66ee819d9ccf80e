"""All metrics of the monitor. Names follow the Prometheus conventions."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

ROWS = Counter("rondo_monitor_rows", "Rows read from the logs", ["log"])
BAD_MESSAGES = Counter("rondo_monitor_bad_messages", "Messages of the logs that could not be decoded", ["log"])
WINDOWS_CLOSED = Counter("rondo_monitor_windows_closed", "Closed windows", ["model"])
FINDINGS = Counter("rondo_monitor_findings", "Published events, by class", ["event"])
UNLABELLED = Counter(
    "rondo_monitor_windows_without_outcomes", "Windows closed without waiting for their outcomes", ["model"]
)
BUFFERED_BYTES = Gauge("rondo_monitor_buffered_bytes", "Messages that wait for a spec or a profile", ["model"])
DROPPED_ROWS = Gauge(
    "rondo_monitor_dropped_rows", "Rows and outcomes that count in no window, by reason", ["model", "reason"]
)
CLOCK_SET_BACK = Gauge(
    "rondo_monitor_clock_set_back", "How often the clock of a log's writers was set back", ["model", "log"]
)
DROPPED_SHARE = Gauge(
    "rondo_monitor_dropped_share", "Share of the last full block of 500 rows that counts in no window", ["model"]
)
CHECKPOINT_SECONDS = Histogram("rondo_monitor_checkpoint_seconds", "Duration of a checkpoint")
DELIVERIES = Counter("rondo_monitor_deliveries", "Webhook calls, by outcome", ["outcome"])


def forget(model: str) -> None:
    """Remove the gauges of a model that another replica exports now."""
    for gauge in (BUFFERED_BYTES, DROPPED_ROWS, CLOCK_SET_BACK, DROPPED_SHARE):
        gauge.remove_by_labels({"model": model})
