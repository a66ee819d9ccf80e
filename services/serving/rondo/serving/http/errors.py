"""What the HTTP API says when it does not answer: always the protocol's error object, counted by its reason."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from rondo.chassis.errors import UnavailableError
from rondo.serving import metrics
from rondo.serving.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

_STATUS = {
    "unknown_model": 404, "unserved_model": 404, "unknown_version": 404, "too_large": 413, "unsupported_encoding": 415,
}  # fmt: skip
# RFC 9110, 15.5.16: a 415 for the content encoding lists those that are supported.
_HEADERS = {"unsupported_encoding": {"accept-encoding": "gzip, deflate"}}
_HINTS = {
    404: "there is nothing at {path}: ask `GET /v2` who this is, `POST /v2/models/<model>/infer` for a prediction",
    405: "{path} takes no {method}: the header `allow` says what it takes",
}


def answering(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Answer what was refused, and what can't be answered now."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RequestRefusedError as error:
            metrics.PREDICTIONS.labels("", "", error.code).inc()
            return JSONResponse(
                {"error": str(error)}, status_code=_STATUS.get(error.code, 400), headers=_HEADERS.get(error.code)
            )
        except UnavailableError as error:
            metrics.PREDICTIONS.labels("", "", "unavailable").inc()
            return JSONResponse({"error": str(error)}, status_code=503, headers={"retry-after": "1"})

    return answer


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Say in the protocol's form what the router says in plain text."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these alone
    hint = _HINTS.get(error.status_code)
    said = hint.format(path=request.url.path[:200], method=request.method) if hint else error.detail
    return JSONResponse({"error": said}, status_code=error.status_code, headers=error.headers)


async def on_failure(_: Request, __: Exception) -> Response:
    """Say that it is our fault; the log has what happened."""
    said = "serving failed on this request, which is its own fault: send it again, and report it with serving's log"
    return JSONResponse({"error": said}, status_code=HTTPStatus.INTERNAL_SERVER_ERROR)
