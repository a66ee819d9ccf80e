"""Answers inferences in the protocol class of the HTTP server, without ASGI (`rondo.chassis.http.direct_protocol`).

It takes JSON from a known predictor. All other requests go to the ASGI application. A request that is refused before it
waits for a micro-batch also goes there, and the application returns the error. If the queue is full, this module
returns the error.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Protocol

from rondo.chassis.errors import UnavailableError
from rondo.chassis.http import problems
from rondo.chassis.http.authentication import bearer_token
from rondo.chassis.security.token_cache import UnauthenticatedError
from rondo.contracts.access_tokens import Role
from rondo.serving.errors import DeadlineExceededError, OverloadedError, RequestRefusedError
from rondo.serving.http import errors
from rondo.serving.http.body import HEADER_LENGTH
from rondo.serving.http.error_field import with_error
from rondo.serving.inference.batcher import Request
from rondo.serving.open_inference.inference_call import InferenceCall

if TYPE_CHECKING:
    from starlette.responses import Response

    from rondo.chassis.http.direct_protocol import DirectRequest
    from rondo.chassis.security.principal import Principal
    from rondo.serving.inference.service import InferenceService
    from rondo.serving.models.serving_table import ServedModels, ServingTable

log = logging.getLogger(__name__)
_HEADER_LENGTH = HEADER_LENGTH.encode()
_JSON = [(b"content-type", b"application/json")]
# The router has all other spellings of a path.
_PATH = re.compile(rb"/v2/models/([^/%?#\x80-\xff]+)(?:/versions/([^/%?#\x80-\xff]+))?/infer")
_MODEL_ROUTE, _VERSION_ROUTE = "/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"


class Tokens(Protocol):
    """Verifies tokens. `TokenCache` implements it."""

    def known(self, credential: str) -> Principal | None:
        """Return the principal of a valid token, else None."""
        ...


class DirectInferences:
    """Takes inferences once `service` is set, and none without the token of a predictor."""

    def __init__(self, models: ServedModels, tokens: Tokens) -> None:
        self.service: InferenceService | None = None
        self._models, self._tokens = models, tokens

    def wants(self, path: bytes) -> bool:
        return _PATH.fullmatch(path) is not None

    def take(self, request: DirectRequest) -> bool:
        found = _PATH.fullmatch(request.path)
        if found is None or self.service is None or not self._may_predict(request):
            return False
        if any(name == _HEADER_LENGTH for name, _ in request.headers):  # raw contents follow the JSON
            return False
        model, version = found[1].decode("ascii"), found[2].decode("ascii") if found[2] else None
        table = self._models.acquire()
        request.route = _MODEL_ROUTE if version is None else _VERSION_ROUTE
        answer = _Answer(request, self._models, table)
        try:
            call = InferenceCall.decode(table, model, version, request.body)
            if call.binary:  # the application encodes raw contents
                self._models.release(table)
                return False
            size, settle = len(request.body), answer.settle
            self.service.submit(
                Request(call.served, call.rows, call.pinned, size, call.encode, settle, timeout=call.timeout)
            )
        except OverloadedError as error:
            # The queue is full. A second decoding of the body by the application would add to the load.
            answer.settle(error)
        except Exception:  # noqa: BLE001 - the application meets the same, and answers it
            self._models.release(table)
            return False
        return True

    def _may_predict(self, request: DirectRequest) -> bool:
        try:
            principal = self._tokens.known(bearer_token(request.headers))
        except UnauthenticatedError:
            return False
        return principal is not None and principal.has(Role.PREDICTOR)


class _Answer:
    """Sends the response of an inference, and releases the table with the versions that scored it."""

    def __init__(self, request: DirectRequest, models: ServedModels, table: ServingTable) -> None:
        self._request, self._models, self._table = request, models, table

    def settle(self, result: Any) -> None:
        self._models.release(self._table)
        if isinstance(result, Exception):
            problem = _problem(result)
            headers = [header for header in problem.raw_headers if header[0] != b"content-length"]
            self._request.respond(problem.status_code, headers, with_error(bytes(problem.body)))
        else:
            self._request.respond(200, _JSON, result)


def _problem(error: Exception) -> Response:
    if isinstance(error, RequestRefusedError):
        return errors.refused(error)
    if isinstance(error, OverloadedError):
        return errors.overloaded(error)
    if isinstance(error, UnavailableError):
        return errors.unavailable(error)
    if isinstance(error, DeadlineExceededError):
        return errors.expired(error)
    log.error("an inference failed", exc_info=error)
    return problems.failure()
