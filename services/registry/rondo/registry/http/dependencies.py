"""What a request of the API works on, and who sent it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, FastAPI, Header, Path, Request

from rondo.chassis.errors import UnavailableError
from rondo.registry.http.schemas import LARGEST, NO_NUL, Refusal, Who

if TYPE_CHECKING:
    from rondo.registry.ports import Archive, Artifacts, Store

ERRORS: dict[int | str, dict[str, object]] = {
    status: {"model": Refusal, "description": description}
    for status, description in (
        (401, "The bearer token is missing or wrong."),
        (404, "There is no such model, version or artifact."),
        (409, "It can't be done as things stand; the message says what can."),
        (422, "The request, or the spec in it, can't be used."),
        (503, "What the registry stands on is away; nothing was changed."),
    )
}


@dataclass(frozen=True)
class Registry:
    """What the API works on."""

    store: Store
    archive: Archive
    artifacts: Artifacts


def open_api(app: FastAPI, registry: Registry) -> None:
    """Let the API answer; until then every request gets a 503."""
    app.state.registry = registry


def _registry(request: Request) -> Registry:
    registry: Registry | None = getattr(request.app.state, "registry", None)
    if registry is None:
        raise UnavailableError("the registry", "still starting")
    return registry


def _user(x_rondo_user: Annotated[Who, Header()] = "operator") -> str:
    """Return who asks. HTTP leaves the encoding of a header open, and servers read Latin-1; clients send UTF-8."""
    try:
        return x_rondo_user.encode("latin-1").decode()
    except UnicodeError:
        return x_rondo_user


ModelName = Annotated[str, Path(pattern=NO_NUL)]
VersionNumber = Annotated[int, Path(ge=1, le=LARGEST)]
Ask = Annotated[Registry, Depends(_registry)]
User = Annotated[str, Depends(_user)]
