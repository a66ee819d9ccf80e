"""The dependencies of the HTTP routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from rondo.ingestion.batches.publisher import BatchPublisher
    from rondo.ingestion.batches.service import BatchService
    from rondo.ingestion.batches.spool import Spool
    from rondo.ingestion.delta.tables import DeltaTables
    from rondo.ingestion.ports import ReportStore
    from rondo.ingestion.postgres import PostgresBatchStore
    from rondo.ingestion.scoring.postgres_jobs import PostgresScoringJobs
    from rondo.ingestion.spec_cache import SpecCache


@dataclass(frozen=True)
class ApiContext:
    """The objects that the routes call."""

    service: BatchService
    spool: Spool
    batches: PostgresBatchStore
    publisher: BatchPublisher
    tables: DeltaTables
    reports: ReportStore
    specs: SpecCache
    jobs: PostgresScoringJobs


def _context(request: Request) -> ApiContext:
    context: ApiContext | None = request.app.state.context
    if context is None:
        raise UnavailableError("ingestion", "still starting, see /readyz")
    return context


Ingestion = Annotated[ApiContext, Depends(_context)]
