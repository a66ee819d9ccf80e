"""The errors of ingestion. `code` is the machine-readable name. Each message says what to do next."""

from __future__ import annotations

from typing import Any, ClassVar


class IngestionError(Exception):
    """The base class of ingestion's errors."""

    code: ClassVar[str] = "ingestion_error"

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of the error, which become members of an HTTP problem."""
        return dict(vars(self))


class UnreadableFileError(IngestionError):
    """The bytes are not a valid file of the given format."""

    code = "unreadable_file"

    def __init__(self, file_format: str, why: str, advice: str) -> None:
        self.file_format, self.why = file_format, why
        super().__init__(f"the batch can't be read as {file_format}: {why}; {advice}")


class UnknownContentTypeError(IngestionError):
    """The content type (or file extension) is missing or not supported."""

    code = "unknown_content_type"

    def __init__(self, given: str, known: tuple[str, ...]) -> None:
        self.given, self.known = given, known
        problem = f"content type {given!r} is not supported" if given else "the content type is missing"
        super().__init__(f"{problem}: use {', '.join(known)}")


class BatchTooLargeError(IngestionError):
    """A batch exceeds the size limit."""

    code = "batch_too_large"

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(
            f"the batch is larger than {limit_bytes / 1024**2:,.0f} MiB: split it into several batches, or raise "
            "RONDO_MAX_BATCH_BYTES of the ingestion service"
        )


class BatchConflictError(IngestionError):
    """A batch id was sent again with other content."""

    code = "batch_conflict"

    def __init__(self, dataset: str, batch_id: str) -> None:
        self.dataset, self.batch_id = dataset, batch_id
        super().__init__(
            f"batch {batch_id!r} of {dataset!r} was accepted before with other content, and an accepted batch never "
            "changes: send this content under another batch id"
        )


class ReportLostError(IngestionError):
    """A process accepted a batch and crashed, and the log of the table no longer has the report."""

    code = "report_lost"

    def __init__(self, dataset: str, batch_id: str) -> None:
        self.dataset, self.batch_id = dataset, batch_id
        super().__init__(
            f"batch {batch_id!r} of {dataset!r} was accepted before, but its report is no longer in the log of the "
            f"table: its rows are in datasets/{dataset} under this batch_id; send other rows under another batch id"
        )


class InvalidNameError(IngestionError):
    """A dataset name or batch id is not valid."""

    code = "invalid_name"

    def __init__(self, what: str, name: str, rule: str) -> None:
        self.what, self.name = what, name[:80]
        super().__init__(f"invalid {what} {self.name!r}: use {rule}")


class TableDamagedError(IngestionError):
    """Files of a Delta table are damaged or lost, so that it can't be read or written. A retry does not help."""

    code = "table_damaged"

    def __init__(self, table: str, why: str) -> None:
        self.table, self.why = table, why
        super().__init__(
            f"the table {table} is damaged ({why}): restore its files from a backup, or follow "
            "docs/runbooks/damaged-table.md; other tables are not affected"
        )


class BatchNotFoundError(IngestionError):
    """No batch with this id was received."""

    code = "batch_not_found"

    def __init__(self, dataset: str, batch_id: str) -> None:
        self.dataset, self.batch_id = dataset, batch_id
        super().__init__(f"no batch {batch_id!r} of {dataset!r} was received: see GET /v1/datasets/{dataset}/batches")


class DatasetNotFoundError(IngestionError):
    """No model spec names this dataset."""

    code = "dataset_not_found"

    def __init__(self, dataset: str, message: str) -> None:
        self.dataset = dataset
        super().__init__(message)


class ScoringFailedError(IngestionError):
    """A scoring job failed. The same request continues it from its present state.

    `code` is a word of ScoringFailure, or the error code of an answer from a newer release of serving.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = str(code)  # type: ignore[misc] # of an instance: serving has some of the codes
        super().__init__(message)


class ScoringJobNotFoundError(IngestionError):
    """No scoring was requested under this id."""

    code = "scoring_job_not_found"

    def __init__(self, job: str) -> None:
        self.job = job[:80]
        super().__init__(f"there is no scoring job {self.job!r}: `rondo score --status` lists the jobs")
