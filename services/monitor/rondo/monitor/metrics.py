"""Every metric of the monitor, in one place; names follow the Prometheus conventions."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

ROWS = Counter("rondo_monitor_rows", "Rows of the logs that were taken in", ["log"])
BAD_MESSAGES = Counter("rondo_monitor_bad_messages", "Messages of the logs that could not be read", ["log"])
WINDOWS_CLOSED = Counter("rondo_monitor_windows_closed", "Windows that were judged", ["model"])
FINDINGS = Counter("rondo_monitor_findings", "Events that were announced, by their class", ["event"])
HELD_BYTES = Gauge("rondo_monitor_held_bytes", "Messages that wait for a spec or a profile", ["model"])
COUNTED = Gauge("rondo_monitor_uncounted_rows", "Rows that count in no window, by reason", ["model", "reason"])
DELIVERIES = Counter("rondo_monitor_deliveries", "Webhook calls, by outcome", ["outcome"])
