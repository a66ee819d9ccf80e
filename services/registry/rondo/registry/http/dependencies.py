"""Dependencies of the routes: storage, and the types of parameters."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, FastAPI, Path, Query, Request

from rondo.chassis.errors import UnavailableError
from rondo.chassis.http.openapi import Problem
from rondo.contracts.text import Text
from rondo.registry.http.schemas import LARGEST
from rondo.registry.settings import MAX_MODEL_BYTES

if TYPE_CHECKING:
    from rondo.chassis.artifacts import Artifacts
    from rondo.registry.audit.verifier import AuditVerifier
    from rondo.registry.ports import Queries, Store

DEFAULT_LIMIT = 100
MAX_UPLOADS = 4
CONFLICT: dict[int | str, dict[str, object]] = {
    409: {"model": Problem, "description": "The current state does not allow it; `detail` names what it allows."}
}


@dataclass(frozen=True)
class ApiContext:
    """The dependencies of the routes. `max_model_bytes` limits the model of a registration.

    A registration has its model in memory while it holds one slot of the semaphore `uploads`. Others wait for a slot.
    """

    store: Store
    queries: Queries
    artifacts: Artifacts
    verifier: AuditVerifier
    max_model_bytes: int = MAX_MODEL_BYTES
    uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_UPLOADS))


def open_api(app: FastAPI, context: ApiContext) -> None:
    """Make the API answer requests. Until then every request gets a 503."""
    app.state.context = context


def _context(request: Request) -> ApiContext:
    context: ApiContext | None = getattr(request.app.state, "context", None)
    if context is None:
        raise UnavailableError("the registry", "still starting")
    return context


ModelName = Annotated[Text, Path()]
VersionNumber = Annotated[int, Path(ge=1, le=LARGEST)]
Limit = Annotated[int, Query(ge=1, le=1_000, description="the most items of a page")]
After = Annotated[int, Query(ge=0, le=LARGEST, description="`next` of the page before")]
Context = Annotated[ApiContext, Depends(_context)]
