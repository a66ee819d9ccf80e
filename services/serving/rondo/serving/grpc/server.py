"""The gRPC server of `grpc.aio`: authentication, limits, and the status of errors.

A refusal has its code of docs/errors.md in the trailer `rondo-code`, and a message that says what to do next.
"""

from __future__ import annotations

import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
from grpc import StatusCode
from opentelemetry.trace import SpanKind

from rondo.chassis.errors import UnavailableError
from rondo.chassis.http.authentication import bearer_token
from rondo.chassis.http.problems import RETRY_SECONDS
from rondo.chassis.http.server import PortTakenError
from rondo.chassis.security.principal import ForbiddenError
from rondo.chassis.security.token_cache import UnauthenticatedError
from rondo.chassis.telemetry import span
from rondo.serving import metrics
from rondo.serving.errors import DeadlineExceededError, LogUnavailableError, OverloadedError, RequestRefusedError
from rondo.serving.grpc.messages import DecodeError
from rondo.serving.open_inference.protocol import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from rondo.chassis.health import Health
    from rondo.chassis.security.token_cache import TokenCache
    from rondo.serving.grpc.api import Method

    Metadata = tuple[tuple[str, str | bytes], ...]

log = logging.getLogger(__name__)
_STOP_SECONDS = 5
_MAX_STREAMS, _MAX_METADATA = 1_024, 16 * 1024
# Bytes of a message. Each may take three bytes in the metadata of an answer, of which clients accept 8 KiB.
_MAX_MESSAGE = 2_048
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_BODY),
    ("grpc.max_concurrent_streams", _MAX_STREAMS),
    ("grpc.max_metadata_size", _MAX_METADATA),
    ("grpc.absolute_max_metadata_size", _MAX_METADATA),
    # Without this option two servers on one port would each get some of the connections.
    ("grpc.so_reuseport", 0),
]
_REFUSED = {
    "unknown_model": StatusCode.NOT_FOUND,
    "unserved_model": StatusCode.NOT_FOUND,
    "unknown_version": StatusCode.NOT_FOUND,
    "not_allowed": StatusCode.FAILED_PRECONDITION,
}


@asynccontextmanager
async def listen(
    host: str, port: int, methods: Mapping[str, Method], tokens: TokenCache, health: Health
) -> AsyncIterator[int]:
    """Serve until the body ends or a shutdown begins. Then finish the calls in flight, within at most 5 seconds.

    Yield the port.

    Raises:
        PortTakenError: another process listens on the port.

    """
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((_Handlers(methods, tokens),))
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise PortTakenError(host, port, "RONDO_GRPC_PORT") from error
    await server.start()

    async def close() -> None:
        await server.stop(_STOP_SECONDS)

    health.on_shutdown(close)
    try:
        yield bound
    finally:
        await close()


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a call by its path."""

    def __init__(self, methods: Mapping[str, Method], tokens: TokenCache) -> None:
        self._handlers: dict[str, Any] = {
            path: grpc.unary_unary_rpc_method_handler(_Guarded(path.rpartition("/")[2], method, tokens).answer)
            for path, method in methods.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._handlers.get(handler_call_details.method)


class _Guarded:
    """Calls a method for principals with one of its roles, and returns a matching status for errors."""

    def __init__(self, name: str, method: Method, tokens: TokenCache) -> None:
        self._name, self._method, self._tokens = name, method, tokens

    async def answer(self, body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        began, status = time.perf_counter(), StatusCode.CANCELLED
        sent: Metadata = tuple(context.invocation_metadata() or ())
        try:
            answer = await self._traced(body, sent)
            status = StatusCode.OK
        except Exception as error:  # noqa: BLE001 - `_failure` logs what it does not know
            status, code, message = _failure(error)
            seconds = str(error.retry_seconds) if isinstance(error, OverloadedError) else RETRY_SECONDS
        finally:
            metrics.GRPC_CALL_SECONDS.labels(self._name, status.name).observe(time.perf_counter() - began)
        if status is StatusCode.OK:
            return answer
        trailers = [("rondo-code", code)]
        if status is StatusCode.UNAVAILABLE:
            trailers.append(("retry-after", seconds))
        return await context.abort(status, _shortened(message), tuple(trailers))

    async def _traced(self, body: bytes, sent: Metadata) -> bytes:
        """Continue the caller's trace if there is one. Otherwise only the micro-batch has a span."""
        parent = _first(sent, "traceparent")
        if not parent:
            return await self._call(body, sent)
        with span(self._name, parent, SpanKind.SERVER, **{"rpc.system": "grpc", "rpc.method": self._name}):
            return await self._call(body, sent)

    async def _call(self, body: bytes, sent: Metadata) -> bytes:
        if self._method.roles:
            await self._authorize(sent)
        return await self._method.call(body)

    async def _authorize(self, sent: Metadata) -> None:
        authorization = _first(sent, "authorization").encode("latin-1", "replace")
        credential = bearer_token([(b"authorization", authorization)])
        principal = self._tokens.known(credential) or await self._tokens.authenticate(credential)
        if not any(map(principal.has, self._method.roles)):
            raise ForbiddenError(principal, self._method.roles)


def _first(sent: Metadata, name: str) -> str:
    """Return the first value of this name, as over HTTP. Empty if there is none."""
    return next((value for key, value in sent if key == name and isinstance(value, str)), "")


def _shortened(message: str) -> str:
    """Return the part of a message that a client accepts. A longer one would replace the status by another."""
    encoded = message.encode()
    return message if len(encoded) <= _MAX_MESSAGE else f"{encoded[:_MAX_MESSAGE].decode(errors='ignore')} ..."


def _failure(error: Exception) -> tuple[StatusCode, str, str]:
    """Return the status of an error, its code and its message."""
    match error:
        case RequestRefusedError():
            metrics.PREDICTIONS.labels("", "", error.code).inc()
            return _REFUSED.get(error.code, StatusCode.INVALID_ARGUMENT), error.code, str(error)
        case UnauthenticatedError() | ForbiddenError():
            unknown = isinstance(error, UnauthenticatedError)
            return StatusCode.UNAUTHENTICATED if unknown else StatusCode.PERMISSION_DENIED, error.code, str(error)
        case DeadlineExceededError() | OverloadedError():
            metrics.PREDICTIONS.labels("", "", error.code).inc()
            expired = isinstance(error, DeadlineExceededError)
            return StatusCode.DEADLINE_EXCEEDED if expired else StatusCode.UNAVAILABLE, error.code, str(error)
        case UnavailableError():
            metrics.PREDICTIONS.labels("", "", "unavailable").inc()
            may_be_logged = isinstance(error, LogUnavailableError)
            advice = LogUnavailableError.ADVICE if may_be_logged else "nothing was changed: send the request again"
            return StatusCode.UNAVAILABLE, "unavailable", f"{error.what} is not available ({error.why}); {advice}"
        case DecodeError():
            message = "the message is not of this method: compile it from the Open Inference Protocol's .proto file"
            return StatusCode.INVALID_ARGUMENT, "bad_request", message
    log.error("a gRPC call failed", exc_info=error)
    message = "the service failed on this request; its log has the reason"
    return StatusCode.INTERNAL, "internal_error", message
