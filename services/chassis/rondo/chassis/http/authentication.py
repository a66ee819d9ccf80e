"""Authentication and roles of the HTTP APIs. Deny by default.

The middleware authenticates before routing: a request without a valid token reaches no route, and also a path that does
not exist answers 401. A route names the role that it needs, with `requires` (FastAPI) or `require` (Starlette). In a
FastAPI application of `rondo.chassis.http.api`, a route that names no role needs `admin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request

from rondo.chassis.errors import UnavailableError
from rondo.chassis.http.problems import on_unauthenticated, on_unavailable
from rondo.chassis.security.principal import ForbiddenError, Principal
from rondo.chassis.security.token_cache import UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from rondo.contracts.access_tokens import Role

_PRINCIPAL = "rondo.principal"


class Authenticator(Protocol):
    """The port of the middleware for tokens. `TokenCache` implements it."""

    async def authenticate(self, credential: str) -> Principal:
        """Return the principal of a bearer token.

        Raises:
            UnauthenticatedError: the token can't be used.
            UnavailableError: the tokens have not been read yet.

        """
        ...


class Authentication:
    """ASGI middleware: puts the principal into the scope, or answers 401, or 503 while tokens are still being read."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            scope[_PRINCIPAL] = await self._authenticator.authenticate(bearer_token(scope["headers"]))
        except UnauthenticatedError as error:
            answer: ASGIApp = await on_unauthenticated(Request(scope), error)
        except UnavailableError as error:
            answer = await on_unavailable(Request(scope), error)
        else:
            answer = self._app
        await answer(scope, receive, send)


def require(request: Request, *roles: Role) -> Principal:
    """Return the principal of the request.

    Raises:
        ForbiddenError: the principal has none of the roles.

    """
    principal: Principal = request.scope[_PRINCIPAL]
    if not any(map(principal.has, roles)):
        raise ForbiddenError(principal, roles)
    return principal


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the token of a request with these headers. The scheme is case-insensitive (RFC 9110, section 11.1).

    Raises:
        UnauthenticatedError: there is no header, or it has another scheme.

    """
    sent: bytes = next((value for name, value in headers if name == b"authorization"), b"")
    scheme, _, token = sent.decode("latin-1").strip().partition(" ")
    if not sent:
        raise UnauthenticatedError("the request has no credential")
    if scheme.lower() != "bearer":
        raise UnauthenticatedError(f"the scheme {scheme[:20]!r} is not supported")
    return token.strip()
