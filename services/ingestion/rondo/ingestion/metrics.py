"""Every metric of ingestion, beside the chassis's."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

BATCHES = Counter("rondo_ingestion_batches", "Batches, by how they came and what became of them", ["source", "outcome"])
ROWS = Counter("rondo_ingestion_rows", "Rows of batches, by what became of them", ["outcome"])
VALIDATION_SECONDS = Histogram("rondo_ingestion_validation_seconds", "Time to read and judge a batch")
LANDED = Counter("rondo_ingestion_landed_rows", "Rows of the logs that were committed to Delta", ["log"])
LANDING_SECONDS = Histogram("rondo_ingestion_landing_seconds", "Time to commit what was buffered of the logs")
UNREADABLE = Counter("rondo_ingestion_unreadable_log_messages", "Messages of the logs that are no Arrow", ["log"])
OUTCOMES = Counter("rondo_ingestion_outcomes", "Outcomes, by what became of them", ["outcome"])
