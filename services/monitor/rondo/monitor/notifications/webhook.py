"""Calls of receivers: Slack-compatible JSON, Alertmanager's API v2, or the requests of apprise.

The addresses are in the settings, and come from nowhere else. Redirects are not followed, because they would send an
alert to an unknown address. A name may resolve to any address, so the peer's address is checked before anything is
sent. With a secret, calls in the Slack-compatible format are signed as Standard Webhooks defines
(https://github.com/standard-webhooks/standard-webhooks), so a receiver can verify that Rondo sent them.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import standardwebhooks

from rondo.monitor.notifications import apprise_service
from rondo.monitor.notifications.message_content import alertmanager_body, slack_body, text, title
from rondo.monitor.notifications.webhook_receivers import UNCALLABLE, Answer, may_be_called

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from rondo.monitor.notifications.message_content import AlertMessage
    from rondo.monitor.notifications.webhook_receivers import Format, Receiver

_TIMEOUT = httpx.Timeout(5.0)
_MAX_ANSWER = 200
_SECRET_PREFIX, _MIN_SECRET_BYTES = "whsec_", 24
# These client errors are temporary, so the call is retried.
_TEMPORARY = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS})


class WebhookSecretError(ValueError):
    """RONDO_WEBHOOK_SECRET is not a secret of Standard Webhooks."""

    code: ClassVar[str] = "invalid_webhook_secret"

    def __init__(self) -> None:
        super().__init__(
            "it is not a secret of Standard Webhooks, which is `whsec_` and at least 24 bytes in base64: create one "
            "with `echo whsec_$(openssl rand -base64 32)`"
        )


def signer(secret: str) -> standardwebhooks.Webhook | None:
    """Return the signer of calls. None without a secret.

    Raises:
        WebhookSecretError: the secret is not `whsec_` and at least 24 bytes in base64.

    """
    if not secret:
        return None
    try:
        content = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except ValueError:
        raise WebhookSecretError from None
    if not secret.startswith(_SECRET_PREFIX) or len(content) < _MIN_SECRET_BYTES:
        raise WebhookSecretError
    return standardwebhooks.Webhook(content)


def body(kind: Format, content: AlertMessage, now: datetime) -> Any:
    """Return the JSON of a call. Apprise makes its own body."""
    return alertmanager_body(content, now) if kind == "alertmanager" else slack_body(content)


class _LinkLocalPeerError(Exception):
    """The host of a receiver has resolved to a link-local address."""


async def _check_peer(event: str, info: Mapping[str, Any]) -> None:
    """Close a connection to a link-local address before TLS and the request. It is a `trace` extension of httpcore."""
    if event != "connection.connect_tcp.complete":
        return
    stream = info["return_value"]
    if not may_be_called(stream.get_extra_info("server_addr")[0]):
        await stream.aclose()
        raise _LinkLocalPeerError


class Webhook:
    """Calls receivers. `now` returns the time in UTC. Without a `signer` calls are not signed."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        now: Callable[[], datetime],
        signer: standardwebhooks.Webhook | None = None,
    ) -> None:
        self._client, self._now, self._signer = client, now, signer

    async def call(self, receiver: Receiver, message: AlertMessage) -> Answer:
        """Deliver a message.

        The header `Idempotency-Key` is the message's id, so that a receiver recognizes a repetition.
        """
        if receiver.format == "apprise":
            return await _notify(receiver, message)
        content, message_id = json.dumps(body(receiver.format, message, self._now())), message.message_id
        try:
            answer = await self._client.post(
                receiver.url,
                content=content,
                headers={
                    "Content-Type": "application/json",
                    "Idempotency-Key": message_id,
                    **(self._signature(message_id, content) if receiver.format == "slack" else {}),
                },
                timeout=_TIMEOUT,
                follow_redirects=False,
                extensions={"trace": _check_peer},
            )
        except httpx.HTTPError as error:
            return Answer("retry", f"{type(error).__name__}: {error}"[:_MAX_ANSWER])
        except UNCALLABLE as error:
            return Answer("refused", f"the address can't be called ({type(error).__name__}); see RONDO_WEBHOOK_URLS")
        except _LinkLocalPeerError:
            return Answer("refused", "its host resolves to a link-local address, which is not called")
        text = f"{answer.status_code} {answer.reason_phrase}"
        if answer.is_success:
            return Answer("delivered", text)
        temporary = answer.is_server_error or answer.status_code in _TEMPORARY
        return Answer("retry" if temporary else "refused", f"{text}: {answer.text}"[:_MAX_ANSWER])

    def _signature(self, message_id: str, content: str) -> dict[str, str]:
        if self._signer is None:
            return {}
        now = self._now()
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message_id, now, content),
        }


async def _notify(receiver: Receiver, message: AlertMessage) -> Answer:
    kind = apprise_service.notification_type(message)
    if await apprise_service.notify(receiver.url, title(message), text(message), kind):
        return Answer("delivered", "accepted")
    return Answer("retry", "apprise could not deliver it: `apprise -vv` with the same address shows why")
