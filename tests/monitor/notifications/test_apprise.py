"""Messages by apprise to a real HTTP server, with its `json://`, and the parts of an address that are shown."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
from rondo.chassis.settings import SettingsError
from rondo.monitor.notifications import apprise_service
from rondo.monitor.notifications.webhook_receivers import receivers
from rondo.monitor.settings import MonitorSettings

from tests.monitor.fakes import ENVIRONMENT
from tests.monitor.notifications.receiver import BOTH, Server, drain, publish
from tests.support.settings import load

if TYPE_CHECKING:
    from rondo.chassis.postgres.pool import Database


@pytest.mark.slow
async def test_a_message_is_delivered_by_apprise(server: Server, opened: Database) -> None:
    url = f"apprise+json://ada:s3cret@127.0.0.1:{server.port}/alerts?redirect=yes"
    async with httpx.AsyncClient() as client:
        log = await drain(await publish(opened, url, client))
    assert [line[:3] for line in log] == [("opened", "delivered", 1), ("resolved", "delivered", 1)]
    got = [(path, content["title"], content["message"], content["type"]) for path, _, content in server.received]
    assert got == [
        ("/alerts", "WARNING: loans version 1: drifted", "x PSI 1.23 (threshold 0.25)", "warning"),
        ("/alerts", "Resolved: loans version 1: drifted", "over", "success"),
    ]


async def test_a_failure_is_repeated_and_a_redirect_not_followed(
    server: Server, opened: Database, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    server.answers = ["404 Gone", f"307 There\r\nLocation: http://127.0.0.1:{server.port}/elsewhere"]
    url = f"apprise+json://ada:s3cret@127.0.0.1:{server.port}/pass-w0rd?redirect=yes"
    with caplog.at_level(logging.DEBUG):
        async with httpx.AsyncClient() as client:
            deliveries = await publish(opened, url, client, published=BOTH[:1])
            log = await drain(deliveries)
            listed = str(await deliveries.log())
    assert [(state, attempts) for _, state, attempts, _ in log] == [("delivered", 3)]
    assert [path for path, _, _ in server.received] == ["/pass-w0rd"] * 3
    shown = caplog.text + listed + "".join(capfd.readouterr())
    assert ("json#" in shown, "s3cret" in shown, "pass-w0rd" in shown) == (True, False, False)


@pytest.mark.medium
def test_a_token_in_the_place_of_the_host_is_not_shown() -> None:
    (telegram,) = receivers("apprise+tgram://123456789:abcdefg_hijklmnop/12315544/")
    assert telegram.name.startswith("tgram#")
    assert not {"123456789", "12315544"} & set(telegram.name.replace("#", ":").split(":"))


def test_without_apprise_the_settings_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    apprise_service._apprise.cache_clear()
    environment = ENVIRONMENT | {"RONDO_POSTGRES": "postgresql://x", "RONDO_WEBHOOK_URLS": "apprise+json://a/s3cret"}
    with pytest.raises(SettingsError) as error:
        load(MonitorSettings, environment)
    assert "apprise is not installed: install rondo-monitor[apprise]" in str(error.value)
    assert "s3cret" not in str(error.value)
