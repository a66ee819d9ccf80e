"""RFC 9457 problem details: the shape of all errors of the HTTP APIs.

    {"type": "urn:rondo:problem:<code>", "title": ..., "status": ..., "detail": ..., "code": ..., <facts>}

`code` is for programs and `detail` for people. `facts` are further members of a code, such as `problems`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from rondo.chassis.errors import UnavailableError
from rondo.chassis.http.body import DamagedBodyError, UnsupportedEncodingError
from rondo.chassis.security.principal import ForbiddenError
from rondo.chassis.security.token_cache import UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ExceptionHandler

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = "2"
_UNCHANGED = "nothing was changed: send the request again once /readyz answers 200"


def problem(status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **facts: Any) -> Response:
    """Return an error answer."""
    body = {
        "type": f"urn:rondo:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **facts,
    }
    return Response(orjson.dumps(body), status, headers=headers, media_type=MEDIA_TYPE)


async def on_unavailable(_: Request, error: Exception) -> Response:
    return unavailable(error)


def unavailable(error: Exception, advice: str = _UNCHANGED) -> Response:
    """Return a 503: the caller may send the same request again. `advice` tells this to the caller."""
    # The error's own message is about retries of the service, and the service does not retry this request.
    what = f"{error.what} is not available ({error.why})" if isinstance(error, UnavailableError) else str(error)
    return problem(503, "unavailable", f"{what}; {advice}", headers={"retry-after": RETRY_SECONDS})


async def on_unauthenticated(_: Request, error: Exception) -> Response:
    return problem(401, UnauthenticatedError.code, str(error), headers={"www-authenticate": "Bearer"})


async def on_forbidden(_: Request, error: Exception) -> Response:
    needed = error.needed if isinstance(error, ForbiddenError) else ()
    return problem(403, ForbiddenError.code, str(error), required_roles=[str(role) for role in needed])


async def on_unsupported_encoding(_: Request, error: Exception) -> Response:
    assert isinstance(error, UnsupportedEncodingError)  # noqa: S101 - it is registered for these alone
    return problem(415, error.code, str(error), headers={"accept-encoding": error.accepted})


async def on_damaged_body(_: Request, error: Exception) -> Response:
    return problem(400, DamagedBodyError.code, str(error))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Convert an error of the router to a problem. Its headers, such as `Allow`, stay."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these alone
    path = request.url.path[:200]
    match error.status_code:
        case 404:
            detail = f"there is nothing at {path}; /openapi.json lists what is"
            return problem(404, "not_found", detail, headers=error.headers)
        case 405:
            detail = f"{path} does not take {request.method}; the header Allow lists what it takes"
            return problem(405, "method_not_allowed", detail, headers=error.headers)
        case status:
            code = HTTPStatus(status).name.lower()
            return problem(status, code, str(error.detail), headers=error.headers)


async def on_failure(_: Request, __: Exception) -> Response:
    return failure()


def failure() -> Response:
    """Return a 500. The traceback is in the service's log, not in the answer."""
    return problem(
        500, "internal_error", "the service failed on this request; its log has the reason under the trace id"
    )


HANDLERS: dict[type[Exception], ExceptionHandler] = {
    UnavailableError: on_unavailable,
    UnauthenticatedError: on_unauthenticated,
    ForbiddenError: on_forbidden,
    UnsupportedEncodingError: on_unsupported_encoding,
    DamagedBodyError: on_damaged_body,
    HTTPException: on_http_exception,
    Exception: on_failure,
}
