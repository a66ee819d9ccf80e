"""Webhook calls: Slack-compatible JSON, or Alertmanager's API v2.

The addresses are part of the settings, and nothing else names one. Redirects are not followed: they would send an alert
to an unknown address.
With a secret, calls in the Slack-compatible format are signed as Standard Webhooks defines
(https://github.com/standard-webhooks/standard-webhooks), so a receiver can verify that Rondo sent them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import httpx
import standardwebhooks

from rondo.monitor.notifications.message_content import alertmanager_body, slack_body

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rondo.monitor.notifications.message_content import AlertMessage

Format = Literal["slack", "alertmanager"]
FORMATS: tuple[Format, ...] = ("slack", "alertmanager")
_TIMEOUT = httpx.Timeout(5.0)
_MAX_ANSWER = 200
_SECRET_PREFIX, _MIN_SECRET_BYTES = "whsec_", 24
# What httpx raises for an address it can't call and that is not an HTTPError; the second is idna.IDNAError, of a host.
_UNCALLABLE = (httpx.InvalidURL, UnicodeError)
# None is the default port of the scheme.
_PORTS = {None, *range(1, 65536)}
# These client errors ask for a retry.
_TEMPORARY = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS})


class WebhookUrlError(ValueError):
    """An entry of RONDO_WEBHOOK_URLS is not a usable address, or a link-local one."""

    code: ClassVar[str] = "invalid_webhook_url"

    def __init__(self, position: int) -> None:
        # Without the address: it may hold a secret, and the message is logged.
        self.position = position
        super().__init__(
            f"entry {position} is not a webhook address: write http(s)://host/path for Slack-compatible JSON, or "
            "alertmanager+http(s)://host:9093 for Alertmanager, separated by commas; the host can't be link-local"
        )


class WebhookSecretError(ValueError):
    """RONDO_WEBHOOK_SECRET is not a secret of Standard Webhooks."""

    code: ClassVar[str] = "invalid_webhook_secret"

    def __init__(self) -> None:
        super().__init__(
            "it is not a secret of Standard Webhooks, which is `whsec_` and at least 24 bytes in base64: create one "
            "with `echo whsec_$(openssl rand -base64 32)`"
        )


@dataclass(frozen=True)
class Receiver:
    """A webhook. `name` identifies it in the database and the logs."""

    url: str
    format: Format

    @property
    def name(self) -> str:
        """The host and a part of the address's digest; it contains no secret."""
        return f"{httpx.URL(self.url).host}#{hashlib.sha256(self.url.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Answer:
    """The outcome of a call: `refused` is final; `text` is for the delivery log."""

    outcome: Literal["delivered", "refused", "retry"]
    text: str


def receivers(text: str) -> tuple[Receiver, ...]:
    """Parse the setting: addresses separated by commas.

    Raises:
        WebhookUrlError: one of them is not an http(s) address.

    """
    return tuple(_receiver(each.strip(), n) for n, each in enumerate(text.split(","), 1) if each.strip())


def signer(secret: str) -> standardwebhooks.Webhook | None:
    """Return what signs calls; None without a secret.

    Raises:
        WebhookSecretError: it is not `whsec_` and at least 24 bytes in base64.

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


def _receiver(text: str, position: int) -> Receiver:
    prefix, _, rest = text.partition("+")
    kind = next((known for known in FORMATS if known == prefix), None)
    url = rest if kind else text
    path = _path(url)
    if path is None:
        raise WebhookUrlError(position)
    if kind == "alertmanager" and path in ("", "/"):
        url = f"{url.rstrip('/')}/api/v2/alerts"
    return Receiver(url, kind or "slack")


def _path(url: str) -> str | None:
    """Return the path of an address, or None if httpx can't call it."""
    try:
        parts = httpx.URL(url)
        usable = parts.scheme in ("http", "https") and parts.port in _PORTS and _may_be_called(parts.host)
    except _UNCALLABLE:
        return None
    return parts.path if usable else None


def _may_be_called(host: str) -> bool:
    """Return whether there is a host that is not link-local.

    No receiver has such an address, and clouds serve credentials at one. Private ones are where an Alertmanager is.
    """
    try:
        address = ip_address(host)
        return not (getattr(address, "ipv4_mapped", None) or address).is_link_local
    except ValueError:
        return bool(host)


def body(kind: Format, content: AlertMessage, now: datetime) -> Any:
    """Return the JSON of a call."""
    return alertmanager_body(content, now) if kind == "alertmanager" else slack_body(content)


class Webhook:
    """Calls receivers; `now` returns the time in UTC. Without a `signer` calls are not signed."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        now: Callable[[], datetime],
        signer: standardwebhooks.Webhook | None = None,
    ) -> None:
        self._client, self._now, self._signer = client, now, signer

    async def call(self, receiver: Receiver, message: AlertMessage) -> Answer:
        """Deliver a message. The header `Idempotency-Key` is its id, so a receiver can recognize a repetition."""
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
            )
        except httpx.HTTPError as error:
            return Answer("retry", f"{type(error).__name__}: {error}"[:_MAX_ANSWER])
        except _UNCALLABLE as error:
            return Answer("refused", f"the address can't be called ({type(error).__name__}); see RONDO_WEBHOOK_URLS")
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
