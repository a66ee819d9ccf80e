"""Dependencies of the routes: storage, the caller, and the types of path parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, FastAPI, Header, Path, Query, Request

from rondo.chassis.errors import UnavailableError
from rondo.registry.http.schemas import LARGEST, NO_NUL, Refusal, Who

if TYPE_CHECKING:
    from rondo.chassis.artifacts import Artifacts
    from rondo.registry.audit.verifier import AuditVerifier
    from rondo.registry.ports import Queries, Store

ERRORS: dict[int | str, dict[str, object]] = {
    status: {"model": Refusal, "description": description}
    for status, description in (
        (401, "The bearer token is missing or wrong."),
        (404, "There is no such model, version or artifact."),
        (409, "The current state does not allow it; the message names what it allows."),
        (422, "The request, or the spec in it, is invalid."),
        (503, "A dependency of the registry is unavailable; nothing was changed."),
    )
}


@dataclass(frozen=True)
class ApiContext:
    """What the routes work on."""

    store: Store
    queries: Queries
    artifacts: Artifacts
    verifier: AuditVerifier


def open_api(app: FastAPI, context: ApiContext) -> None:
    """Let the API answer; until then every request gets a 503."""
    app.state.context = context


def _context(request: Request) -> ApiContext:
    context: ApiContext | None = getattr(request.app.state, "context", None)
    if context is None:
        raise UnavailableError("the registry", "still starting")
    return context


def _user(x_rondo_user: Annotated[Who, Header()] = "operator") -> str:
    """Return the caller's name. HTTP leaves a header's encoding open: servers read Latin-1, clients send UTF-8."""
    try:
        return x_rondo_user.encode("latin-1").decode()
    except UnicodeError:
        return x_rondo_user


ModelName = Annotated[str, Path(pattern=NO_NUL)]
VersionNumber = Annotated[int, Path(ge=1, le=LARGEST)]
DEFAULT_LIMIT = 100
Limit = Annotated[int, Query(ge=1, le=1_000, description="the most items of a page")]
After = Annotated[int, Query(ge=0, le=LARGEST, description="`next` of the page before")]
Context = Annotated[ApiContext, Depends(_context)]
User = Annotated[str, Depends(_user)]
