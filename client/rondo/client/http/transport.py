"""The HTTP side of Rondo: one client for all services, and every refusal as a typed error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from rondo.client.errors import (
    NotFoundError,
    RefusedError,
    RondoError,
    ServiceFailedError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from rondo.client.connection import Connection

# A batch is answered when all of it is validated and committed.
_TIMEOUT = httpx.Timeout(connect=5, read=300, write=300, pool=5)
_QUICK = httpx.Timeout(5)
# Loopback is asked directly, whatever proxy the environment names.
_DIRECT = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}
_REJECTED = "batch_rejected"
# Ingestion's own words point to a field of its answer, and here the reasons follow.
_NOTHING_USED = "nothing of this batch was used, correct it and send it again, under the same id or another:"


class Services:
    """Asks services over HTTP; close it with `aclose`."""

    def __init__(
        self, connection: Connection, user: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._connection = connection
        headers = {"authorization": f"Bearer {connection.token.get_secret_value()}"}
        self._client = httpx.AsyncClient(
            headers=headers | ({"x-rondo-user": user} if user else {}),
            timeout=_TIMEOUT,
            transport=transport,
            mounts=_DIRECT,
        )

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def ask(
        self,
        service: str,
        method: str,
        path: str,
        *,
        json: object = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer, if it is one of success.

        Raises:
            RondoError: as its subclasses say.

        """
        url = self._connection.url(service) or ""
        try:
            answer = await self._client.request(method, url + path, json=json, content=content, headers=headers)
        except httpx.InvalidURL as error:
            raise UnreachableError(service, url, str(error)) from None
        except httpx.TransportError as error:
            raise UnreachableError(service, url, str(error) or type(error).__name__) from error
        if not answer.is_success:
            raise refusal(service, url, answer)
        return answer

    async def json(self, service: str, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Return the JSON object of the answer; arguments and errors as of `ask`."""
        return content_of(service, await self.ask(service, method, path, **request))

    async def readiness(self, service: str) -> dict[str, Any]:
        """Return whether a service is ready, and what each thing says that it stands on."""
        url = self._connection.url(service)
        if url is None:
            return {"ready": None, "url": None, "checks": {}, "message": "its address is not known"}
        try:
            answer = await self._client.get(f"{url}/readyz", timeout=_QUICK)
            said = answer.json()
            return {"ready": bool(said["ready"]), "url": url, "checks": dict(said["checks"]), "message": ""}
        except httpx.TransportError as error:
            message = f"no answer ({str(error) or type(error).__name__})"
        except (ValueError, KeyError, TypeError):
            message = f"HTTP {answer.status_code}, and no word about its health: is this a service of Rondo?"
        return {"ready": False, "url": url, "checks": {}, "message": message}


def content_of(service: str, answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        ServiceFailedError: it has none.

    """
    content = _object(answer)
    if not content:
        raise ServiceFailedError(service, answer.status_code, f"no JSON object, but {answer.text[:100]!r}")
    return content


def refusal(service: str, url: str, answer: httpx.Response) -> RondoError:
    """Return the error that an answer stands for."""
    body = _object(answer)
    problems = [str(problem) for problem in body.get("problems") or body.get("reasons") or ()]
    message, code = _said(service, answer, body)
    match answer.status_code:
        case 401:
            return UnauthorizedError(service, url)
        case 404:
            return NotFoundError(message)
        case 503:
            return UnavailableError(service, message)
        case status if status < httpx.codes.INTERNAL_SERVER_ERROR:
            return RefusedError(message, problems, code)
        case status:
            return ServiceFailedError(service, status, message)


def _said(service: str, answer: httpx.Response, body: Mapping[str, Any]) -> tuple[str, str]:
    """Return the message and the code; the Open Inference Protocol has the message alone, under `error`."""
    if body.get("error") == _REJECTED:
        return _NOTHING_USED, _REJECTED
    if "detail" in body:
        return str(body["detail"]), str(body.get("code", "refused"))
    if "message" in body:
        return str(body["message"]), str(body.get("error", "refused"))
    if "error" in body:
        return str(body["error"]), "refused"
    if body.get("reasons"):
        return f"{service} rejected it:", str(body.get("status", "rejected"))
    return answer.text or answer.reason_phrase, "refused"


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
