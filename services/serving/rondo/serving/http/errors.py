"""The errors of the HTTP API as problem documents, counted by code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from rondo.chassis.errors import UnavailableError
from rondo.chassis.http import problems
from rondo.chassis.http.body import ACCEPTED
from rondo.chassis.http.problems import problem
from rondo.serving import metrics
from rondo.serving.errors import DeadlineExceededError, LogUnavailableError, OverloadedError, RequestRefusedError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ExceptionHandler

_NOT_FOUND = 404
_STATUS = {
    "unknown_model": 404, "unserved_model": 404, "unknown_version": 404, "too_large": 413, "unsupported_encoding": 415,
    "not_allowed": 409, "unexplainable": 409,
}  # fmt: skip
_HEADERS = {"unsupported_encoding": {"accept-encoding": ACCEPTED}}


async def on_refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestRefusedError)  # noqa: S101 - it is registered for these alone
    return refused(error)


def refused(error: RequestRefusedError) -> Response:
    metrics.PREDICTIONS.labels("", "", error.code).inc()
    status, headers = _STATUS.get(error.code, 400), _HEADERS.get(error.code)
    return problem(status, error.code, str(error), headers=headers, **error.facts)


async def on_unavailable(_: Request, error: Exception) -> Response:
    return unavailable(error)


def unavailable(error: Exception) -> Response:
    metrics.PREDICTIONS.labels("", "", "unavailable").inc()
    if isinstance(error, LogUnavailableError):
        return problems.unavailable(error, LogUnavailableError.ADVICE)
    return problems.unavailable(error)


async def on_overloaded(_: Request, error: Exception) -> Response:
    assert isinstance(error, OverloadedError)  # noqa: S101 - it is registered for these alone
    return overloaded(error)


def overloaded(error: OverloadedError) -> Response:
    metrics.PREDICTIONS.labels("", "", error.code).inc()
    return problem(503, error.code, str(error), headers={"retry-after": str(error.retry_seconds)})


async def on_expired(_: Request, error: Exception) -> Response:
    assert isinstance(error, DeadlineExceededError)  # noqa: S101 - it is registered for these alone
    return expired(error)


def expired(error: DeadlineExceededError) -> Response:
    metrics.PREDICTIONS.labels("", "", error.code).inc()
    return problem(504, error.code, str(error))


async def on_http_exception(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == _NOT_FOUND:
        detail = "ask `GET /v2` for the server, `POST /v2/models/<model>/infer` for a prediction"
        return problem(404, "not_found", f"there is nothing at {request.url.path[:200]}: {detail}")
    return await problems.on_http_exception(request, error)


HANDLERS: dict[type[Exception], ExceptionHandler] = {
    **problems.HANDLERS,
    RequestRefusedError: on_refused,
    UnavailableError: on_unavailable,
    OverloadedError: on_overloaded,
    DeadlineExceededError: on_expired,
    HTTPException: on_http_exception,
}
