"""What ingestion refuses, with a message for whoever sent it: each says what to do next."""

from __future__ import annotations


class IngestionError(Exception):
    """The base of ingestion's own errors. `code` is the short name in HTTP answers."""

    code = "ingestion_error"


class UnreadableFileError(IngestionError):
    """The bytes are not the file that they are said to be."""

    code = "unreadable_file"

    def __init__(self, form: str, why: str, advice: str) -> None:
        super().__init__(f"the batch can't be read as {form}: {why}; {advice}")


class UnknownContentTypeError(IngestionError):
    """Nobody said what kind of file a batch is, or it is a kind that is not taken."""

    code = "unknown_content_type"

    def __init__(self, said: str, known: tuple[str, ...]) -> None:
        super().__init__(f"{said or 'no content type'!r} is no kind of file that is taken here: use {', '.join(known)}")


class BatchTooLargeError(IngestionError):
    """A batch is over the size limit."""

    code = "batch_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"the batch is larger than {limit_bytes / 1024**2:,.0f} MiB: split it into several batches, or raise "
            "RONDO_MAX_BATCH_BYTES of the ingestion service"
        )


class BatchConflictError(IngestionError):
    """A batch id that is taken came again with other content."""

    code = "batch_conflict"

    def __init__(self, dataset: str, batch_id: str) -> None:
        super().__init__(
            f"batch {batch_id!r} of {dataset!r} was accepted before with other content, and an accepted batch never "
            "changes: send this one under a batch id of its own"
        )


class ReportLostError(IngestionError):
    """A batch was accepted by a process that died before it could say so, and its report is in the log no more."""

    code = "report_lost"

    def __init__(self, dataset: str, batch_id: str) -> None:
        super().__init__(
            f"batch {batch_id!r} of {dataset!r} was accepted before, but the log of its table is too short to hold the "
            f"report: its rows are in datasets/{dataset} under this batch_id; send other rows under an id of their own"
        )


class BadNameError(IngestionError):
    """A dataset or batch id that is no safe name."""

    code = "bad_name"

    def __init__(self, what: str, name: str, rule: str) -> None:
        super().__init__(f"{what} {name[:80]!r} is no name: use {rule}")


class BatchNotFoundError(IngestionError):
    """Nobody sent this batch."""

    code = "not_found"

    def __init__(self, dataset: str, batch_id: str) -> None:
        super().__init__(f"no batch {batch_id!r} of {dataset!r} was received: see GET /v1/datasets/{dataset}/batches")


class DatasetNotFoundError(IngestionError):
    """No model spec names this dataset."""

    code = "not_found"

    def __init__(self, message: str) -> None:
        super().__init__(message)
