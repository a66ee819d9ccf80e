"""Open vocabularies of the data that arrives."""

from __future__ import annotations

from enum import StrEnum


class Source(StrEnum):
    """The way in which a batch arrived.

    Unknown: shown as it is.
    """

    HTTP = "http"
    KAFKA = "kafka"
    FOLDER = "folder"


class FeatureType(StrEnum):
    """The type of a feature, or of a column of a dataset.

    `category` is a text, `float` a number, `int` a whole number, and `bool` true or false.

    Unknown: `rondo apply` refuses the spec. Of a stored spec with it, ingestion rejects the batches and says why: they
    can be sent again after an upgrade. It compares the other features with those of requests. A training fails, serving
    refuses a version with such a feature and keeps the versions that it serves, and a scoring job fails. Each names the
    column and the type. The monitor reads no types: it watches all columns whose profile it knows (`ProfileKind`).
    Readers that only show a spec show the type as it is.
    """

    CATEGORY = "category"
    FLOAT = "float"
    INT = "int"
    BOOL = "bool"


class UnknownColumns(StrEnum):
    """The treatment of a batch with columns that no model of its dataset names.

    Unknown: `rondo apply` refuses the spec. A stored spec with it behaves as `report`.
    """

    REJECT = "reject"
    REPORT = "report"
    IGNORE = "ignore"


class ScoringState(StrEnum):
    """The state of a scoring job: it waits for others, runs, is done, or has failed and may be requested again.

    Unknown: shown as it is. The client waits until the job has a time of its end.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class SchemaChange(StrEnum):
    """The kind of a change of a dataset's contract from one revision of its spec to the next.

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


class ScoringFailure(StrEnum):
    """The cause of a failed scoring job. `reason` says what to do.

    The causes: the data is missing, damaged, recreated in the meantime, does not fit the version, or has rows too long
    for a message. The scores were lost, or the log of their table is damaged. Serving did not answer, or it refused the
    version or the message. Ingestion failed for an unknown reason.

    Unknown: shown as it is, with the reason. The job has failed in any case.
    """

    DATA_MISSING = "data_missing"
    DATA_UNREADABLE = "data_unreadable"
    DATA_CHANGED = "data_changed"
    SCHEMA_MISMATCH = "schema_mismatch"
    PART_TOO_LARGE = "part_too_large"
    SCORES_LOST = "scores_lost"
    SCORES_DAMAGED = "scores_damaged"
    NO_ANSWER = "no_answer"
    VERSION_REFUSED = "version_refused"
    TOO_LARGE = "too_large"
    INVALID_SCORE_REQUEST = "invalid_score_request"
    INTERNAL_ERROR = "internal_error"
