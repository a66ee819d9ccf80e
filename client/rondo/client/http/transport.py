"""HTTP requests to the services, and their error responses as typed errors."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import httpx

from rondo.client.errors import (
    ForbiddenError,
    NotFoundError,
    RefusedError,
    RondoError,
    ServiceFailedError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    from rondo.client.connection import Connection

# Ingestion only answers when the whole batch is validated and committed.
_TIMEOUT = httpx.Timeout(connect=5, read=300, write=300, pool=5)
_READINESS_TIMEOUT = httpx.Timeout(5)
# Requests to loopback bypass the proxy of the environment.
_DIRECT = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}
_REJECTED = "batch_rejected"
# Replaces ingestion's own text, which names a field of the response, because here the reasons follow.
_NOTHING_USED = "nothing of this batch was used, correct it and send it again, under the same id or another:"


@cache
def _tls() -> ssl.SSLContext:
    """Return the process's TLS context.

    It is cached, because reading the certificates of the authorities takes 75 ms.
    """
    return httpx.create_ssl_context()


class HttpTransport:
    """One HTTP client for all services. Close it with `aclose`."""

    def __init__(self, connection: Connection, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._connection = connection
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {connection.token.get_secret_value()}"},
            timeout=_TIMEOUT,
            verify=_tls(),
            transport=transport,
            mounts=_DIRECT,
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def request(
        self,
        service: str,
        method: str,
        path: str,
        *,
        json: object = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the response, if its status is 2xx.

        Raises:
            RondoError: the request failed. The error has a subclass of RondoError.

        """
        url = self._connection.url(service) or ""
        try:
            response = await self._client.request(method, url + path, json=json, content=content, headers=headers)
        except httpx.InvalidURL as error:
            raise UnreachableError(service, url, str(error)) from None
        except httpx.TransportError as error:
            raise UnreachableError(service, url, str(error) or type(error).__name__) from error
        if not response.is_success:
            raise error_of(service, url, response)
        return response

    async def json(self, service: str, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Return the JSON object of the response. Arguments and errors are those of `request`."""
        return content_of(service, await self.request(service, method, path, **request))

    async def readiness(self, service: str) -> dict[str, Any]:
        """Return `ready`, `url`, `checks` (the state of each dependency) and `message`. Raises no error."""
        url = self._connection.url(service)
        if url is None:
            return {"ready": None, "url": None, "checks": {}, "message": "its address is not configured"}
        try:
            response = await self._client.get(f"{url}/readyz", timeout=_READINESS_TIMEOUT)
            body = response.json()
            return {"ready": bool(body["ready"]), "url": url, "checks": dict(body["checks"]), "message": ""}
        except httpx.TransportError as error:
            message = f"no answer ({str(error) or type(error).__name__})"
        except (ValueError, KeyError, TypeError):
            message = f"HTTP {response.status_code} without a health report: is this a service of Rondo?"
        return {"ready": False, "url": url, "checks": {}, "message": message}


def content_of(service: str, response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of a response.

    Raises:
        ServiceFailedError: the response has none.

    """
    content = _object(response)
    if not content:
        raise ServiceFailedError(service, response.status_code, f"no JSON object, but {response.text[:100]!r}")
    return content


def error_of(service: str, url: str, response: httpx.Response) -> RondoError:
    """Return the error of a response, whose body is a problem document (RFC 9457)."""
    body = _object(response)
    code = str(body.get("code", "refused"))
    message = _NOTHING_USED if code == _REJECTED else str(body.get("detail") or response.text or response.reason_phrase)
    problems = [str(problem) for problem in body.get("problems") or body.get("reasons") or ()]
    match response.status_code:
        case 401:
            return UnauthorizedError(service, url, message if body else "")
        case 403:
            return ForbiddenError(service, message, tuple(map(str, body.get("required_roles", ()))))
        case 404:
            return NotFoundError(message)
        case 503:
            return UnavailableError(service, message)
        case status if status < httpx.codes.INTERNAL_SERVER_ERROR:
            return RefusedError(message, problems, code)
        case status:
            return ServiceFailedError(service, status, message)


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
