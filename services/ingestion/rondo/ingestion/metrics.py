"""The metrics of ingestion, in addition to those of the chassis."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

BATCHES = Counter("rondo_ingestion_batches", "Batches by source and outcome", ["source", "outcome"])
ROWS = Counter("rondo_ingestion_rows", "Rows of accepted batches, by outcome (accepted, quarantined)", ["outcome"])
VALIDATION_SECONDS = Histogram("rondo_ingestion_validation_seconds", "Time to read and validate a batch")
LANDED = Counter("rondo_ingestion_landed_rows", "Rows of the logs that were committed to Delta", ["log"])
LANDING_SECONDS = Histogram("rondo_ingestion_landing_seconds", "Time to commit the buffered rows of the logs")
UNREADABLE = Counter("rondo_ingestion_unreadable_log_messages", "Log messages that could not be decoded", ["log"])
OUTCOMES = Counter("rondo_ingestion_outcomes", "Outcomes by result (accepted, dead_letter)", ["outcome"])
DAMAGED = Gauge("rondo_ingestion_damaged_table", "1 while files of the Delta table are damaged or lost", ["table"])
REFUSED = Gauge(
    "rondo_ingestion_refusing_table", "1 while the Delta table refuses rows of the logs, which wait in Kafka", ["table"]
)
UNCOMPARED = Counter(
    "rondo_ingestion_uncompared_batches", "Batches that could not be compared with what a model was served"
)
UNRECOVERED = Counter("rondo_ingestion_unrecovered_batches", "Committed batches that could not be recorded at a start")
