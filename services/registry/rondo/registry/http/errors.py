"""Maps every error to a status and a body `{"error", "message", ...}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from rondo.chassis.artifacts import ArtifactCorruptError, ArtifactMissingError
from rondo.chassis.errors import UnavailableError
from rondo.contracts.spec.file import SpecError
from rondo.registry import errors

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

_STATUS: dict[type[errors.RegistryError], int] = {
    errors.UnknownModelError: 404,
    errors.UnknownVersionError: 404,
    errors.RefusedSpecError: 422,
    errors.InvalidCursorError: 422,
}
_CONFLICT = 409


def install(app: FastAPI) -> None:
    """Make the app answer every error in one shape."""
    app.add_exception_handler(errors.RegistryError, _refused)
    app.add_exception_handler(SpecError, _bad_spec)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(UnavailableError, _unavailable)
    app.add_exception_handler(ArtifactMissingError, _artifact_missing)
    app.add_exception_handler(ArtifactCorruptError, _artifact_corrupt)


def refusal(status: int, code: str, message: str, **more: Any) -> JSONResponse:
    """Return an error answer."""
    return JSONResponse({"error": code, "message": message, **more}, status_code=status)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, errors.RegistryError)  # noqa: S101 - for the type checker
    more = {"problems": list(error.problems)} if isinstance(error, errors.RefusedSpecError) else {}
    return refusal(_STATUS.get(type(error), _CONFLICT), error.code, str(error), **more)


async def _bad_spec(_: Request, error: Exception) -> Response:
    assert isinstance(error, SpecError)  # noqa: S101
    return refusal(422, "invalid_spec", str(error), problems=list(error.problems))


async def _bad_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    problems = [f"{'.'.join(str(p) for p in fault['loc'][1:]) or 'body'}: {fault['msg']}" for fault in error.errors()]
    message = f"the request is invalid: {'; '.join(problems)}; /openapi.json has its schema"
    return refusal(422, "invalid_request", message, problems=problems)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == 404:  # noqa: PLR2004
        return refusal(404, "not_found", f"there is no {request.url.path}; /openapi.json lists all paths")
    if error.status_code == 405:  # noqa: PLR2004
        message = f"{request.url.path} does not take {request.method}; /openapi.json lists what it takes"
        return refusal(405, "method_not_allowed", message)
    return refusal(error.status_code, "refused", str(error.detail))


async def _unavailable(_: Request, error: Exception) -> Response:
    answer = refusal(503, "unavailable", f"{error}; nothing was changed: ask again, /readyz says when")
    answer.headers["retry-after"] = "2"
    return answer


async def _artifact_missing(_: Request, error: Exception) -> Response:
    return refusal(404, "artifact_missing", str(error))


async def _artifact_corrupt(_: Request, error: Exception) -> Response:
    return refusal(500, "artifact_corrupt", str(error))
