"""The HTTP API: upload batches, and read the reports of batches, the quarantine and the contracts of datasets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request
from fastapi.responses import Response

from rondo.chassis.artifacts import ArtifactMissingError
from rondo.chassis.errors import UnavailableError, panics_as_errors
from rondo.chassis.http import api as http_api
from rondo.chassis.http.openapi import Problem
from rondo.chassis.http.problems import RETRY_SECONDS, problem
from rondo.contracts.access_tokens import Role
from rondo.contracts.batch_files.formats import FORMATS
from rondo.contracts.events.data import DataVersion
from rondo.ingestion import errors
from rondo.ingestion.batches.compression import decoded
from rondo.ingestion.batches.publisher import table_of
from rondo.ingestion.batches.report import Details, Headline
from rondo.ingestion.batches.submission import BATCH_ID, DATASET, Submission, check_names
from rondo.ingestion.http import scoring_jobs
from rondo.ingestion.http.context import Ingestion  # noqa: TC001 - FastAPI reads it at run time
from rondo.ingestion.http.schemas import (
    BatchList,
    BatchReport,
    ColumnView,
    CurrentVersion,
    DatasetView,
    QuarantinedRow,
    QuarantinedRows,
)
from rondo.ingestion.validation.contract import NoContractError
from rondo.ingestion.validation.file_formats import format_of

if TYPE_CHECKING:
    from rondo.ingestion.http.context import ApiContext
    from rondo.ingestion.ports import BatchRecord

_STATUSES: dict[type[Exception], int] = {
    errors.IngestionError: 400,
    errors.BatchTooLargeError: 413,
    errors.UnknownContentTypeError: 415,
    errors.BatchConflictError: 409,
    errors.ReportLostError: 409,
    errors.TableDamagedError: 500,
    errors.BatchNotFoundError: 404,
    errors.DatasetNotFoundError: 404,
    errors.ScoringJobNotFoundError: 404,
}
_REJECTED = (
    "nothing of this batch was used; `reasons` says why. Correct it and send it again, under the same id or another"
)
_READS = http_api.requires(Role.READER, Role.PUBLISHER)
Limit = Annotated[int, Query(ge=1, le=1000)]
router = APIRouter(
    prefix="/v1/datasets/{dataset}",
    responses={400: {"model": Problem, "description": "A name is not valid, or the body is not."}},
)


def api() -> FastAPI:
    """Return the API. While the service starts, `state.context` is None and every answer is 503."""
    app = http_api.api("Rondo ingestion", "Batches, their reports, and the contracts of datasets.", _STATUSES)
    app.state.context = None
    app.add_exception_handler(UnavailableError, _on_unavailable)
    app.include_router(router)
    app.include_router(scoring_jobs.router)
    return app


def _dataset(dataset: Annotated[str, Path(json_schema_extra={"pattern": DATASET})]) -> str:
    check_names(dataset)
    return dataset


def _batch_id(batch_id: Annotated[str, Path(json_schema_extra={"pattern": BATCH_ID})]) -> str:
    check_names(batch_id=batch_id)
    return batch_id


def _of_batch(batch_id: Annotated[str | None, Query(json_schema_extra={"pattern": BATCH_ID})] = None) -> str | None:
    check_names(batch_id=batch_id)
    return batch_id


# Names are checked at the routes, so that no other name is passed on. An invalid one is a 400 with a separate code.
Dataset = Annotated[str, Depends(_dataset)]
BatchId = Annotated[str, Depends(_batch_id)]
OfBatch = Annotated[str | None, Depends(_of_batch)]
_FILE = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "/batches/{batch_id}",
    status_code=201,
    summary="Submit a batch",
    response_model=BatchReport,
    dependencies=[http_api.requires(Role.PUBLISHER)],
    responses={
        200: {"model": BatchReport, "description": "It was accepted before, with the same content."},
        409: {"model": Problem, "description": "Another batch was accepted under this id."},
        413: {"model": Problem, "description": "The batch is too large."},
        415: {"model": Problem, "description": "The content type or encoding is not supported."},
        422: {"model": Problem, "description": "The batch is rejected; the members are those of its report."},
    },
    openapi_extra={"requestBody": {"required": True, "content": dict.fromkeys(FORMATS, _FILE)}},
)
async def upload(request: Request, dataset: Dataset, batch_id: BatchId, ingestion: Ingestion) -> Response:
    """Submit a batch: the body is the file, the content type its format. It may be compressed with gzip or deflate.

    The same batch may be sent again. The answer is then the report of the first time.
    """
    file_format = format_of(request.headers.get("content-type"))
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > ingestion.spool.limit_bytes:
        raise errors.BatchTooLargeError(ingestion.spool.limit_bytes)
    body = decoded(request.stream(), request.headers.get("content-encoding"))
    with panics_as_errors():
        async with ingestion.spool.receive(body) as file:
            result = await ingestion.service.submit(Submission(dataset, batch_id, "http", file_format, file))
    report = await _report(ingestion, result.record)
    if result.record.status == "accepted":
        status = 200 if result.repeated else 201
        return Response(report.model_dump_json(), status, media_type="application/json")
    facts = report.model_dump(mode="json", exclude={"status"})
    return problem(422, "batch_rejected", _REJECTED, **facts)


@router.get("/batches/{batch_id}", summary="The report of a batch", dependencies=[_READS])
async def batch(dataset: Dataset, batch_id: BatchId, ingestion: Ingestion) -> BatchReport:
    """Return the report, with `quality` null if the full report was removed."""
    record = await ingestion.batches.find(dataset, batch_id)
    if record is None:
        raise errors.BatchNotFoundError(dataset, batch_id)
    return await _report(ingestion, record)


@router.get("/batches", summary="The newest batches", dependencies=[_READS])
async def batches(dataset: Dataset, ingestion: Ingestion, limit: Limit = 100) -> BatchList:
    """Return the most recently decided batches, newest first."""
    found = await ingestion.batches.latest(dataset, limit)
    return BatchList(dataset=dataset, batches=[Headline.model_validate(each) for each in found])


@router.get("/quarantine", summary="The newest quarantined rows", dependencies=[http_api.requires(Role.READER)])
async def quarantine(dataset: Dataset, ingestion: Ingestion, batch_id: OfBatch, limit: Limit = 100) -> QuarantinedRows:
    """Return quarantined rows, of one batch if it is given. Rows of the newest batch come first."""
    rows = await asyncio.to_thread(ingestion.publisher.quarantined, dataset, limit, batch_id)
    return QuarantinedRows(dataset=dataset, rows=[QuarantinedRow.model_validate(row) for row in rows])


@router.get("", summary="The contract of a dataset", dependencies=[_READS])
async def dataset(dataset: Dataset, ingestion: Ingestion) -> DatasetView:
    """Return the contract of a dataset, and its current version."""
    try:
        contract = ingestion.specs.contract(dataset)
    except NoContractError as error:
        raise errors.DatasetNotFoundError(dataset, str(error)) from None
    table = table_of(dataset)
    commit = await asyncio.to_thread(ingestion.tables.current, table)
    version = DataVersion(table=table, version=commit.version, digest=commit.digest) if commit else None
    columns = [ColumnView.of(column) for column in contract.columns]
    return DatasetView(
        dataset=dataset,
        data_version=version,
        contract=contract.digest,
        declared=contract.is_declared,
        columns=columns,
    )


@router.get(
    "/data-version",
    summary="The newest version of a dataset",
    dependencies=[http_api.requires(Role.PREDICTOR, Role.ENGINEER)],
)
async def data_version(dataset: Dataset, ingestion: Ingestion) -> CurrentVersion:
    """Return the version that a scoring of the dataset uses by default. Null before its first batch."""
    commit = await asyncio.to_thread(ingestion.tables.current, table_of(dataset))
    return CurrentVersion(dataset=dataset, data_version=commit.version if commit else None)


async def _report(context: ApiContext, record: BatchRecord) -> BatchReport:
    try:
        details = Details.model_validate_json(await context.reports.get(record.headline["report"]))
    except ArtifactMissingError as error:
        details = Details(reasons=tuple(record.headline["reasons"]), notes=(f"the full report is lost: {error}",))
    return BatchReport.model_validate(record.headline | details.model_dump())


async def _on_unavailable(_: Request, error: Exception) -> Response:
    # A retry with the same batch id is safe, also after an upload that was stored but not answered.
    what = f"{error.what} is not available ({error.why})" if isinstance(error, UnavailableError) else str(error)
    detail = f"{what}. Send the same request again, with the same batch id: a batch is never stored twice"
    return problem(503, "unavailable", detail, headers={"retry-after": RETRY_SECONDS})
