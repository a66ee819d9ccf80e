"""The HTTP API: upload a batch, and see what became of batches and datasets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response

from rondo.chassis.errors import UnavailableError
from rondo.ingestion import errors
from rondo.ingestion.batches.submission import Submission, check_names
from rondo.ingestion.validation.contract import NoContractError
from rondo.ingestion.validation.file_formats import format_of

if TYPE_CHECKING:
    from rondo.ingestion.batches.service import BatchService
    from rondo.ingestion.batches.spool import Spool
    from rondo.ingestion.delta.tables import DeltaTables
    from rondo.ingestion.postgres import PostgresBatchStore
    from rondo.ingestion.spec_cache import SpecCache

_STATUS = {
    errors.BatchTooLargeError: 413,
    errors.UnknownContentTypeError: 415,
    errors.BatchConflictError: 409,
    errors.ReportLostError: 409,
    errors.InvalidNameError: 400,
    errors.BatchNotFoundError: 404,
    errors.DatasetNotFoundError: 404,
}
Limit = Annotated[int, Query(ge=1, le=1000)]


@dataclass(frozen=True)
class ApiContext:
    """What the API stands before."""

    service: BatchService
    spool: Spool
    batches: PostgresBatchStore
    tables: DeltaTables
    specs: SpecCache


def api() -> FastAPI:
    """Return the API. Until its `state.context` is set, while the service starts, every answer is 503."""
    app = FastAPI(title="Rondo ingestion", version="1", docs_url=None, redoc_url=None)
    app.state.context = None
    app.add_exception_handler(errors.IngestionError, _refused)
    app.add_exception_handler(UnavailableError, _unavailable)
    app.add_api_route("/v1/datasets/{dataset}/batches/{batch_id}", upload, methods=["POST"], status_code=201)
    app.add_api_route("/v1/datasets/{dataset}/batches/{batch_id}", batch, methods=["GET"])
    app.add_api_route("/v1/datasets/{dataset}/batches", batches, methods=["GET"])
    app.add_api_route("/v1/datasets/{dataset}/quarantine", quarantine, methods=["GET"])
    app.add_api_route("/v1/datasets/{dataset}", dataset, methods=["GET"])
    return app


def _context(request: Request) -> ApiContext:
    context: ApiContext | None = request.app.state.context
    if context is None:
        raise UnavailableError("ingestion", "still starting, see /readyz")
    return context


async def upload(request: Request, dataset: str, batch_id: str) -> Response:
    """Take in a batch: its file is the body, its kind the content type.

    201 with the report of an accepted batch, 200 with the same report when it comes again, 422 with the reasons when
    it is refused whole.
    """
    context = _context(request)
    check_names(dataset, batch_id)
    file_format = format_of(request.headers.get("content-type"))
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > context.spool.limit_bytes:
        raise errors.BatchTooLargeError(context.spool.limit_bytes)
    async with context.spool.receive(request.stream()) as (path, content):
        answer = await context.service.submit(Submission(dataset, batch_id, "http", file_format, path, content))
    accepted = answer.record.status == "accepted"
    return _json(answer.record.report, 422 if not accepted else 200 if answer.repeated else 201)


async def batch(request: Request, dataset: str, batch_id: str) -> Response:
    """Return the report of a batch."""
    record = await _context(request).batches.find(dataset, batch_id)
    if record is None:
        raise errors.BatchNotFoundError(dataset, batch_id)
    return _json(record.report)


async def batches(request: Request, dataset: str, limit: Limit = 100) -> Response:
    """Return the reports of the batches decided last, newest first."""
    return _json({"dataset": dataset, "batches": await _context(request).batches.latest(dataset, limit)})


async def quarantine(request: Request, dataset: str, batch_id: str | None = None, limit: Limit = 100) -> Response:
    """Return the rows quarantined last, each with its reasons and as it came."""
    context = _context(request)
    check_names(dataset, batch_id or "any")
    rows = await asyncio.to_thread(context.tables.tail, f"quarantine/{dataset}", limit, batch_id)
    return _json({"dataset": dataset, "rows": rows})


async def dataset(request: Request, dataset: str) -> Response:
    """Return what a dataset must look like, and its current version."""
    context = _context(request)
    check_names(dataset, "any")
    try:
        contract = context.specs.contract(dataset)
    except NoContractError as error:
        raise errors.DatasetNotFoundError(str(error)) from None
    table = f"datasets/{dataset}"
    commit = await asyncio.to_thread(context.tables.current, table)
    version = {"table": table, "version": commit.version, "digest": commit.digest} if commit else None
    columns = [
        {
            "name": c.name, "kind": c.kind, "optional": c.optional, "min": c.low, "max": c.high,
            "values": sorted(c.values) if c.values is not None else None,
        }
        for c in contract.columns
    ]  # fmt: skip
    return _json({"dataset": dataset, "data_version": version, "contract": contract.digest, "columns": columns})


def _json(content: dict[str, Any], status: int = 200) -> Response:
    # ParsedOutcomes: PostgreSQL gives a report back in an order of its own, and the same batch gets the same bytes.
    return Response(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), status, media_type="application/json")


async def _refused(_: Request, error: Exception) -> JSONResponse:
    code = error.code if isinstance(error, errors.IngestionError) else "error"
    return JSONResponse({"error": code, "message": str(error)}, _STATUS.get(type(error), 400))


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    # Here nobody tries again but who sent it.
    what = f"{error.what} is not available ({error.why})" if isinstance(error, UnavailableError) else str(error)
    message = f"{what}. Send the same request again, with the same batch id: nothing is taken in twice"
    return JSONResponse({"error": "unavailable", "message": message}, 503, headers={"retry-after": "2"})
