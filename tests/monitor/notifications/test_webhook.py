"""Webhook addresses, and the bodies of their calls."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import standardwebhooks
from rondo.chassis.settings import SettingsError
from rondo.monitor.notifications import webhook
from rondo.monitor.notifications.message_content import AlertMessage, with_ends
from rondo.monitor.notifications.webhook import Webhook, body, signer
from rondo.monitor.notifications.webhook_receivers import Answer, Receiver, WebhookUrlError, may_be_called, receivers
from rondo.monitor.settings import MonitorSettings

from tests.monitor.builders import EPOCH, MODEL
from tests.monitor.fakes import ENVIRONMENT, NOW
from tests.monitor.notifications.messages import ALERT, OVER, WORSE, of, opened, resolved
from tests.support.settings import load

if TYPE_CHECKING:
    from tests.monitor.notifications.receiver import Server

LABELS = {
    "alertname": "RondoFinding", "model": MODEL, "alert_id": "a1", "kind": "drift", "severity": "warning",
    "model_version": "1",
}  # fmt: skip


def posted(message: AlertMessage) -> dict[str, Any]:
    """Return the one alert of a call to Alertmanager."""
    (one,) = body("alertmanager", message, NOW)
    assert isinstance(one, dict)
    return one


def firing(payload: dict[str, Any], now: datetime) -> bool:
    """Return whether Alertmanager regards an alert as firing at a time, if it is posted only once.

    In its api/v2 an alert without `endsAt` ends `resolve_timeout` after it was posted. Otherwise it fires until
    `endsAt`.
    """
    ends = datetime.fromisoformat(payload["endsAt"]) if "endsAt" in payload else NOW + timedelta(minutes=5)
    return ends > now


def test_an_alert_fires_in_alertmanager_until_its_end_is_posted() -> None:
    raised = posted(opened())
    assert {"labels", "annotations", "startsAt", "endsAt"} == raised.keys()
    assert (raised["labels"], raised["startsAt"]) == (LABELS, "2024-01-01T00:00:00Z")
    assert firing(raised, NOW + timedelta(days=365))


@pytest.mark.parametrize("resolved_at", [EPOCH, NOW, NOW + timedelta(hours=20)])
def test_an_end_lies_in_the_past_of_any_clock_whatever_its_event_time(resolved_at: datetime) -> None:
    ended = posted(resolved(of(OVER, resolved_at=resolved_at)))
    assert (ended["labels"], "startsAt" in ended) == (LABELS, False)
    assert not firing(ended, NOW - timedelta(seconds=50))


def test_slack_gets_a_text() -> None:
    sent = body("slack", opened(), NOW)
    assert (sent["text"], sent["status"]) == (
        "WARNING: loans version 1: drifted\nx PSI 1.23 (threshold 0.25)",
        "firing",
    )
    assert body("slack", resolved(), NOW)["text"] == "Resolved: loans version 1: drifted\nover"


def test_a_group_is_one_text_and_one_call_to_alertmanager() -> None:
    lines = body("slack", opened(WORSE, ALERT), NOW)["text"].splitlines()
    assert lines == [
        "loans version 1: 2 alerts", "- CRITICAL: loans version 1: worse", "  loss 0.4 (reference 0.3)",
        "- WARNING: loans version 1: drifted", "  x PSI 1.23 (threshold 0.25)",
    ]  # fmt: skip
    assert [each["labels"]["alert_id"] for each in body("alertmanager", opened(WORSE, ALERT), NOW)] == ["a2", "a1"]


def test_an_old_message_ends_in_alertmanager_what_is_over_by_now() -> None:
    message = with_ends(opened(WORSE, ALERT), {"a1": (EPOCH, "over")})
    first, second = body("alertmanager", message, NOW)
    assert (firing(first, NOW), firing(second, NOW)) == (True, False)
    assert second["annotations"]["description"] == "over"


MALFORMED = [
    "localhost", "ftp://s3cret", "http://", "http://[::1", "http://a:99999/", "http://a:0/", "http://xn--0/",
    "http://☃..example/", "alertmanager+alerts:9093", "https://:80/",
    "apprise+nosuch://x", "apprise+json://169.254.169.254/", "apprise+",
    "http://169.254.169.254/latest/meta-data/", "alertmanager+http://[fe80::1]:9093", "http://[::ffff:169.254.169.254]/",
    "http://2852039166/", "http://0xa9fea9fe/", "http://169.254.43518/",
]  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("url", MALFORMED)
def test_the_settings_refuse_a_malformed_address_by_its_position_without_showing_it(url: str) -> None:
    environment = ENVIRONMENT | {"RONDO_POSTGRES": "postgresql://x", "RONDO_WEBHOOK_URLS": f"https://a/b,{url}"}
    with pytest.raises(SettingsError) as error:
        load(MonitorSettings, environment)
    assert "entry 2 is not a webhook address: write http(s)://host/path for Slack-compatible JSON" in str(error.value)
    assert "s3cret" not in str(error.value)


SECRET = f"whsec_{base64.b64encode(bytes(range(24))).decode()}"


@pytest.mark.parametrize("secret", ["s3cret", SECRET.removeprefix("whsec_"), "whsec_AAAA", "whsec_☃", f"{SECRET}!"])
def test_the_settings_refuse_a_secret_that_is_not_one_of_standard_webhooks(secret: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(MonitorSettings, ENVIRONMENT | {"RONDO_POSTGRES": "postgresql://x", "RONDO_WEBHOOK_SECRET": secret})
    assert "it is not a secret of Standard Webhooks, which is " in str(error.value)
    assert secret not in str(error.value)


async def test_calls_are_signed_as_standard_webhooks_defines() -> None:
    calls: list[httpx.Request] = []

    def record(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(200)

    now = datetime.now(UTC)
    async with httpx.AsyncClient(transport=httpx.MockTransport(record)) as client:
        for signed in (signer(SECRET), None):
            await Webhook(client, lambda: now, signed).call(Receiver("http://a/", "slack"), opened())
    verifier = standardwebhooks.Webhook(SECRET)
    assert verifier.verify(calls[0].content, dict(calls[0].headers)) == json.loads(calls[0].content)
    assert calls[0].headers["webhook-id"] == opened().message_id
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier.verify(calls[0].content.replace(b"loans", b"other"), dict(calls[0].headers))
    assert "webhook-signature" not in calls[1].headers


async def test_the_example_on_the_page_verifies_a_call() -> None:
    calls: list[httpx.Request] = []

    def record(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(record)) as client:
        webhook = Webhook(client, lambda: datetime.now(UTC), signer(SECRET))
        await webhook.call(Receiver("http://a/", "slack"), opened())
    page = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text()
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    defined: dict[str, Any] = {}
    exec(example.replace("whsec_…", SECRET), defined)  # noqa: S102 - of our own page
    (call,) = calls
    assert defined["receive"](dict(call.headers), call.content)["message_id"] == opened().message_id
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        defined["receive"](dict(call.headers), call.content.replace(b"loans", b"other"))


@pytest.mark.parametrize("url", ["http://xn--0/", "http://[::1"])
async def test_a_call_to_a_malformed_address_is_refused(url: str) -> None:
    async with httpx.AsyncClient() as client:
        answer = await Webhook(client, lambda: NOW).call(Receiver(url, "slack"), opened())
    assert answer.outcome == "refused"
    assert answer.text.endswith("see RONDO_WEBHOOK_URLS")


async def test_nothing_is_sent_to_a_name_that_resolves_to_a_link_local_address(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name for 169.254.169.254 needs a name server, so the address of the receiver stands for a link-local one."""
    looked: list[str] = []

    def is_local(host: str) -> bool:
        looked.append(host)
        return may_be_called("169.254.169.254" if host == "127.0.0.1" else host)

    async with httpx.AsyncClient() as client:
        called = Webhook(client, lambda: NOW)
        receiver = Receiver(server.url.replace("127.0.0.1", "localhost"), "slack")
        with monkeypatch.context() as patched:
            patched.setattr(webhook, "may_be_called", is_local)
            answer = await called.call(receiver, opened())
        assert (answer.outcome, looked, server.received) == ("refused", ["127.0.0.1"], [])
        assert (await called.call(receiver, opened())).outcome == "delivered"
        assert len(server.received) == 1


async def test_a_temporary_failure_is_retried() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(503, text="busy")

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        called = await Webhook(client, lambda: NOW).call(Receiver("http://a/", "slack"), opened())
    assert called == Answer("retry", "503 Service Unavailable: busy")


@pytest.mark.parametrize("host", ["10.0.0.7", "192.168.1.2", "localhost", "alerts", "[fd00::7]"])
def test_a_private_address_may_be_a_receiver(host: str) -> None:
    assert len(receivers(f"alertmanager+http://{host}:9093")) == 1


def test_receivers_are_named_without_their_secret() -> None:
    (slack, alertmanager) = receivers("https://hooks.example/s3cret, alertmanager+http://alerts:9093")
    assert slack.name.startswith("hooks.example#")
    assert "s3cret" not in slack.name
    assert (alertmanager.url, alertmanager.format) == ("http://alerts:9093/api/v2/alerts", "alertmanager")
    assert receivers("") == ()
    with pytest.raises(WebhookUrlError):
        receivers("localhost")
