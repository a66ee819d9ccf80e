"""Receivers of messages: the addresses of RONDO_WEBHOOK_URLS, each with its format."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import inet_aton
from typing import ClassVar, Literal

import httpx

from rondo.monitor.notifications import apprise_service

Format = Literal["slack", "alertmanager", "apprise"]
FORMATS: tuple[Format, ...] = ("slack", "alertmanager", "apprise")
# The errors of httpx for an address that it can't call, except HTTPError. UnicodeError includes idna.IDNAError for a
# host.
UNCALLABLE = (httpx.InvalidURL, UnicodeError)
# None is the default port of the scheme.
_PORTS = {None, *range(1, 65536)}


class WebhookUrlError(ValueError):
    """An entry of RONDO_WEBHOOK_URLS is not a usable address, or it is a link-local one."""

    code: ClassVar[str] = "invalid_webhook_url"

    def __init__(self, position: int) -> None:
        # The error has no address: an address may contain a secret, and the message is logged.
        self.position = position
        super().__init__(
            f"entry {position} is not a webhook address: write http(s)://host/path for Slack-compatible JSON, or "
            "alertmanager+http(s)://host:9093 for Alertmanager, apprise+ and an address of apprise for anything else, "
            "separated by commas; the host can't be link-local"
        )


@dataclass(frozen=True)
class Receiver:
    """A webhook, or a service of apprise. `name` identifies it in the database and the logs."""

    url: str
    format: Format

    @property
    def name(self) -> str:
        """The host and a part of the address's digest. It contains no secret.

        Some services of apprise have a token instead of a host. For them the name contains only the service.
        """
        where = self.url.partition(":")[0] if self.format == "apprise" else httpx.URL(self.url).host
        return f"{where}#{hashlib.sha256(self.url.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Answer:
    """The outcome of a call. If it is `refused`, the call is not repeated. `text` is for the delivery log."""

    outcome: Literal["delivered", "refused", "retry"]
    text: str


def receivers(text: str) -> tuple[Receiver, ...]:
    """Parse the setting: addresses separated by commas.

    Raises:
        WebhookUrlError: an address is neither an http(s) address nor one of apprise.
        AppriseMissingError: an address is for apprise, which is not installed.

    """
    return tuple(_receiver(each.strip(), n) for n, each in enumerate(text.split(","), 1) if each.strip())


def _receiver(text: str, position: int) -> Receiver:
    prefix, _, rest = text.partition("+")
    kind = next((known for known in FORMATS if known == prefix), None)
    url = rest if kind else text
    if kind == "apprise":
        host = apprise_service.host_of(url)
        if host is None or not (host == "" or may_be_called(host)):
            raise WebhookUrlError(position)
        return Receiver(url, kind)
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
        usable = parts.scheme in ("http", "https") and parts.port in _PORTS and may_be_called(parts.host)
    except UNCALLABLE:
        return None
    return parts.path if usable else None


def may_be_called(host: str) -> bool:
    """Return whether there is a host and it is not link-local.

    No receiver has a link-local address, and clouds serve credentials at one. Private addresses are allowed, because an
    Alertmanager may have one.
    """
    address = _ip_address(host)
    if address is None:
        return bool(host)
    return not (getattr(address, "ipv4_mapped", None) or address).is_link_local


def _ip_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is, also in old notations such as 2852039166. None if it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return ip_address(inet_aton(host))
    except (OSError, UnicodeError):
        return None
