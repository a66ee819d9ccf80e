"""Every metric of the monitor, in one place; names follow the Prometheus conventions."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

ROWS = Counter("rondo_monitor_rows", "Rows of the logs that were taken in", ["log"])
BAD_MESSAGES = Counter("rondo_monitor_bad_messages", "Messages of the logs that could not be read", ["log"])
WINDOWS_CLOSED = Counter("rondo_monitor_windows_closed", "Windows that were judged", ["model"])
FINDINGS = Counter("rondo_monitor_findings", "Events that were announced, by their class", ["event"])
UNLABELLED = Counter(
    "rondo_monitor_windows_without_outcomes", "Windows judged without waiting on for their outcomes", ["model"]
)
HELD_BYTES = Gauge("rondo_monitor_held_bytes", "Messages that wait for a spec or a profile", ["model"])
COUNTED = Gauge(
    "rondo_monitor_uncounted_rows", "Rows and outcomes that count in no window, by reason", ["model", "reason"]
)
SET_BACK = Gauge(
    "rondo_monitor_clock_set_back", "How often the clock of those who write a log was set back", ["model", "log"]
)
COVERAGE = Gauge(
    "rondo_monitor_left_out_share", "Share of the last full block of 500 rows that counts in no window", ["model"]
)
SAVE_SECONDS = Histogram("rondo_monitor_save_seconds", "How long a save of the monitor's state took")
DELIVERIES = Counter("rondo_monitor_deliveries", "Webhook calls, by outcome", ["outcome"])
