"""Open vocabularies of the data that arrives."""

from __future__ import annotations

from enum import StrEnum


class Source(StrEnum):
    """How a batch arrived.

    Unknown: shown as it is.
    """

    HTTP = "http"
    KAFKA = "kafka"
    FOLDER = "folder"


class UnknownColumns(StrEnum):
    """What happens to a batch with columns that no model of its dataset names.

    Unknown: `rondo apply` refuses the spec. A stored spec with it behaves as `report`.
    """

    REJECT = "reject"
    REPORT = "report"
    IGNORE = "ignore"


class ScoringState(StrEnum):
    """How far a scoring job is: it waits for others, goes on, has its table, or has stopped and can be asked again.

    Unknown: shown as it is.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class SchemaChange(StrEnum):
    """How the contract of a dataset changed from one revision of its spec to the next.

    Unknown: shown as it is.
    """

    ADDED = "added"
    DROPPED = "dropped"
    MADE_OPTIONAL = "made_optional"
    MADE_REQUIRED = "made_required"
    WIDENED = "widened"
    NARROWED = "narrowed"
    RETYPED = "retyped"
    KEY_CHANGED = "key_changed"
