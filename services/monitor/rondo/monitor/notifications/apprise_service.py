"""Messages to the services that `apprise` supports (https://github.com/caronc/apprise): chats, mail, phones.

Apprise is an optional dependency. Its log messages are discarded, because some contain a part of the address, which is
a secret.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from rondo.monitor.notifications.message_content import AlertMessage

# The requests of apprise have timeouts of their own, of a few seconds each.
_SECONDS = 60.0
_TYPES = {"critical": "failure", "warning": "warning"}


class AppriseMissingError(ValueError):
    """RONDO_WEBHOOK_URLS needs apprise, which is not installed."""

    code: ClassVar[str] = "apprise_missing"

    def __init__(self) -> None:
        super().__init__("an entry begins with apprise+, and apprise is not installed: install rondo-monitor[apprise]")


def host_of(address: str) -> str | None:
    """Return the host of an address, empty if its service has a fixed host. None if apprise has no such service.

    Raises:
        AppriseMissingError: apprise is not installed.

    """
    service = _service(address)
    return None if service is None else str(service.host or "")


async def notify(address: str, title: str, body: str, notification_type: str) -> bool:
    """Send a text, and return whether the service has accepted it. Apprise gives no reason for a refusal."""
    service = _service(address)
    if service is None:
        return False
    asset = service.asset
    found: Any = _apprise().Apprise(asset=asset)
    found.add(service)
    sending = asyncio.to_thread(found.notify, title=title, body=body, notify_type=notification_type)
    try:
        return bool(await asyncio.wait_for(sending, _SECONDS))
    except TimeoutError:
        return False


def notification_type(message: AlertMessage) -> str:
    """Return apprise's name of the kind of notification, which determines icons and colours."""
    if message.status == "resolved":
        return "success"
    return _TYPES.get(message.alerts[0].severity, "info")


def _service(address: str) -> Any:
    """Return apprise's service for an address, without redirects. None if it has none."""
    apprise = _apprise()
    asset = apprise.AppriseAsset(async_mode=False, http_redirects=False)
    service = apprise.Apprise.instantiate(address, asset=asset)
    if service is not None:
        service.redirects = False  # also if the address allows them
    return service


@cache
def _apprise() -> Any:
    try:
        # The first address loads apprise's services, which import a module that Python deprecates.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import apprise  # noqa: PLC0415 - it may be absent, and takes seconds

            apprise.Apprise.instantiate("json://localhost")
    except ImportError:
        raise AppriseMissingError from None
    for talkative in ("apprise", "urllib3"):
        logging.getLogger(talkative).setLevel(logging.CRITICAL + 1)
    return apprise
