"""The metrics of the trainer. The chassis counts ended runs: `rondo_events_published_total`, by topic."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

TRIGGERS = Counter("rondo_training_triggers", "Triggers by kind and decision", ["kind", "decision"])
WORKER_STARTS = Counter("rondo_trainer_worker_starts", "Times the worker process was started")
WORKER_READY = Gauge("rondo_trainer_worker_ready", "1 while the worker process waits for runs or trains")
