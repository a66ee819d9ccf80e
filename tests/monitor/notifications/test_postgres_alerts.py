"""Alerts, silences and repetitions in a real PostgreSQL, over time and after a kill of the delivering process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rondo.contracts.vocabularies import Severity
from rondo.monitor.alerts.findings import Announcement
from rondo.monitor.errors import UnknownDeliveryError, UnknownReceiverError, UnknownSilenceError
from rondo.monitor.notifications.postgres_alerts import KEPT, PostgresAlerts
from rondo.monitor.notifications.webhook import Webhook
from rondo.monitor.notifications.webhook_delivery import Deliveries
from rondo.monitor.notifications.webhook_receivers import receivers
from rondo.monitor.settings import MonitorSettings

from tests.monitor.builders import MODEL
from tests.monitor.events import RAISED, RESOLVED
from tests.monitor.fakes import NOW
from tests.monitor.notifications.receiver import AT_ONCE, Server, delivering, drain, publish

if TYPE_CHECKING:
    from rondo.chassis.postgres.pool import Database

HOUR = timedelta(hours=1)
WORSE = RAISED.model_copy(update={"alert_id": "a2", "kind": "performance", "severity": "critical"})
OPENED, OVER = Announcement(RAISED, "a1-raised"), Announcement(RESOLVED, "a1-resolved")


async def hours_pass(database: Database, hours: float) -> None:
    """Move every time of the clock into the past."""
    columns = {
        "alerts": ("opened_at", "closed_at", "last_message_at"),
        "silences": ("created_at", "until", "ended_at"),
        "deliveries": ("written_at", "next_at"),
    }
    async with database.transaction() as transaction:
        for table, names in columns.items():
            moved = ", ".join(f"{name} = {name} - make_interval(hours => {hours})" for name in names)
            await transaction.connection.execute(f"update {table} set {moved}")  # noqa: S608 - of this test


async def stored(database: Database) -> tuple[list[str], int, int]:
    """Return the ids of the alerts, and the numbers of deliveries and silences."""
    async with database.transaction() as transaction:
        fetch = transaction.connection.fetchval
        return (
            await fetch("select array_agg(alert_id order by alert_id) from alerts"),
            await fetch("select count(*) from deliveries"),
            await fetch("select count(*) from silences"),
        )


async def states(alerts: PostgresAlerts) -> list[tuple[str, bool, int]]:
    return [(alert.alert_id, silence is not None, alert.messages) for alert, silence in await alerts.alerts(MODEL)]


async def test_an_open_alert_is_repeated_after_a_day_and_then_after_a_week(server: Server, opened: Database) -> None:
    async with httpx.AsyncClient() as client:
        deliveries = await publish(opened, server.url, client, published=[OPENED])
        planned = []
        for _ in range(17):
            planned.append(await deliveries.plan())
            await hours_pass(opened, 24)
        assert [day for day, messages in enumerate(planned) if messages] == [1, 8, 15]
        await drain(deliveries)
    reasons = [content["reason"] for _, _, content in server.received]
    assert reasons == ["opened", "repeated", "repeated", "repeated"]
    assert len({content["message_id"] for _, _, content in server.received}) == 4


async def test_alerts_that_open_together_are_one_message_and_end_in_one(server: Server, opened: Database) -> None:
    ends = [OVER, Announcement(RESOLVED.model_copy(update={"alert_id": "a2"}), "a2-resolved")]
    async with httpx.AsyncClient() as client:
        begins = [OPENED, Announcement(WORSE, "a2-raised")]
        deliveries = await publish(opened, server.url, client, published=begins, together=True)
        await drain(deliveries)
        await publish(opened, server.url, client, published=ends, together=True)
        await drain(deliveries)
    got = [(content["status"], [each["alert_id"] for each in content["alerts"]]) for _, _, content in server.received]
    assert got == [("firing", ["a2", "a1"]), ("resolved", ["a2", "a1"])]


async def test_a_silenced_alert_is_marked_and_sent_once_the_silence_ends(server: Server, opened: Database) -> None:
    alerts = PostgresAlerts(opened)
    made = await alerts.silence(MODEL, "drift", 2 * HOUR, "we know", "ada")
    urls = f"{server.url}, alertmanager+http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient() as client:
        deliveries = await publish(opened, urls, client, published=[OPENED])
        assert await drain(deliveries) == []
        assert await states(alerts) == [("a1", True, 0)]
        assert await alerts.silenced() == {(MODEL, "drift")}
        await hours_pass(opened, 2)
        assert [await deliveries.plan(), await deliveries.plan()] == [1, 0]
        assert len(await drain(deliveries)) == 2
        assert await states(alerts) == [("a1", False, 1)]
        # It is silenced after it was sent: it is not repeated to Alertmanager, and is sent again at the end of the
        # silence.
        assert await deliveries.repeat() == 1
        again = await alerts.silence(MODEL, None, 2 * HOUR, "still", "bob")
        assert await deliveries.repeat() == 0
        await hours_pass(opened, 1)
        ended = await alerts.end_silence(again.silence_id, "ada")
        assert [await deliveries.plan(), await deliveries.plan()] == [1, 0]
        assert {line[0] for line in (await drain(deliveries))[2:]} == {"silence_ended"}
    assert (made.created_by, made.reason, made.kind) == ("ada", "we know", "drift")
    assert (ended.created_by, ended.ended_by) == ("bob", "ada")
    assert [(each.silence_id, active) for each, active in await alerts.silences(MODEL)] == [(1, False), (2, False)]


async def test_a_silence_that_is_over_keeps_its_end(opened: Database) -> None:
    alerts = PostgresAlerts(opened)
    made = await alerts.silence(MODEL, None, HOUR, "we know", "ada")
    await hours_pass(opened, 2)
    assert (await alerts.end_silence(made.silence_id, "bob")).ended_by is None
    with pytest.raises(UnknownSilenceError):
        await alerts.end_silence(made.silence_id + 1, "bob")


async def test_what_is_over_is_deleted_after_90_days_and_what_is_open_is_kept(server: Server, opened: Database) -> None:
    alerts, days = PostgresAlerts(opened), KEPT // HOUR
    await alerts.silence(MODEL, "stale", HOUR, "we know", "ada")
    async with httpx.AsyncClient() as client:
        begins = [OPENED, OVER, Announcement(WORSE, "a2-raised")]
        await drain(await publish(opened, server.url, client, published=begins))
        await hours_pass(opened, days - 1)
        await publish(opened, "", client, published=[Announcement(RAISED.model_copy(update={"alert_id": "a3"}), "a3")])
        assert await stored(opened) == (["a1", "a2", "a3"], 3, 1)
        await hours_pass(opened, 2)
        await publish(opened, "", client, published=[Announcement(RAISED.model_copy(update={"alert_id": "a4"}), "a4")])
        assert await stored(opened) == (["a2", "a3", "a4"], 0, 0)


async def test_an_alert_whose_end_waits_to_be_sent_is_kept(server: Server, opened: Database) -> None:
    async with httpx.AsyncClient() as client:
        deliveries = await publish(opened, server.url, client, published=[OPENED])
        await publish(opened, "", client, published=[OVER])
        await hours_pass(opened, 2 * (KEPT // HOUR))
        await publish(opened, "", client, published=[Announcement(WORSE, "a2-raised")])
        assert await stored(opened) == (["a1", "a2"], 1, 0), "its first message is pending"
        assert await deliveries.plan() == 2


async def test_messages_have_the_mark_of_evidence_that_is_weak_among_all_models(
    server: Server, opened: Database
) -> None:
    strength = {(MODEL, RAISED.model_version): False}

    async def evident() -> dict[tuple[str, int | None], bool]:
        return dict(strength)

    urls = f"{server.url}, alertmanager+http://127.0.0.1:{server.port}"
    stale = RAISED.model_copy(update={"alert_id": "a3", "kind": "stale"})
    async with httpx.AsyncClient() as client:
        await publish(opened, "", client, published=[OPENED, Announcement(stale, "a3-raised")], together=True)
        webhook, alerts = Webhook(client, lambda: NOW), PostgresAlerts(opened, evident)
        deliveries = Deliveries(opened, alerts, webhook, receivers(urls), AT_ONCE)
        assert await deliveries.plan() == 1
        await drain(deliveries)
        strength[MODEL, RAISED.model_version] = True
        assert await deliveries.repeat() == 2
    sent = [content for path, _, content in server.received if path != "/api/v2/alerts"]
    marks = [{each["alert_id"]: each["evident_over_models"] for each in content["alerts"]} for content in sent]
    assert marks == [{"a1": False, "a3": None}]
    assert [content["text"].count("weak") for content in sent] == [1]
    posted = [content for path, _, content in server.received if path == "/api/v2/alerts"]
    weak = [["weak" in each["annotations"]["summary"] for each in content] for content in posted]
    assert ([any(each) for each in weak], [len(each) for each in weak]) == ([True, False], [2, 2])


async def test_an_alert_below_a_raised_least_severity_is_not_repeated_to_alertmanager(
    server: Server, opened: Database
) -> None:
    url = f"alertmanager+http://127.0.0.1:{server.port}"
    info = RAISED.model_copy(update={"alert_id": "a3", "severity": "info"})
    async with httpx.AsyncClient() as client:
        await drain(await publish(opened, url, client, published=[OPENED, Announcement(info, "a3-raised")]))
        webhook, alerts = Webhook(client, lambda: NOW), PostgresAlerts(opened)
        for least, repeated in (("info", {"a1", "a3"}), ("warning", {"a1"})):
            policy = replace(AT_ONCE, least=Severity(least))
            server.received.clear()
            await Deliveries(opened, alerts, webhook, receivers(url), policy).repeat()
            ids = {each["labels"]["alert_id"] for _, _, content in server.received for each in content}
            assert ids == repeated


class PanicException(BaseException):
    """The panics of Rust libraries are no subclass of `Exception`."""


async def no_summary() -> dict[tuple[str, int | None], bool]:
    message = "the checkpoint of another replica"
    raise ValueError(message)


async def panic() -> dict[tuple[str, int | None], bool]:
    raise PanicException


async def slow() -> dict[tuple[str, int | None], bool]:
    await asyncio.Event().wait()
    return {}


@pytest.mark.parametrize(
    ("evident", "error"),
    [(no_summary, "ValueError: the checkpoint of another replica"), (panic, "PanicException"), (slow, "TimeoutError")],
)
async def test_messages_without_a_known_mark_are_sent_all_the_same(
    evident: Any, error: str, server: Server, opened: Database, caplog: pytest.LogCaptureFixture
) -> None:
    urls = f"{server.url}, alertmanager+http://127.0.0.1:{server.port}"
    held: list[int] = []

    async def hold() -> None:
        held.append(len(server.received))

    async with httpx.AsyncClient() as client:
        await publish(opened, "", client, published=[OPENED])
        webhook, alerts = Webhook(client, lambda: NOW), PostgresAlerts(opened, evident, evident_seconds=0.05)
        deliveries = Deliveries(opened, alerts, webhook, receivers(urls), AT_ONCE)
        assert (await deliveries.plan(hold), held) == (1, [0])
        await drain(deliveries)
        assert await deliveries.repeat() == 1
    sent = [content for path, _, content in server.received if path != "/api/v2/alerts"]
    assert [each["evident_over_models"] for content in sent for each in content["alerts"]] == [None]
    assert [path for path, _, _ in server.received].count("/api/v2/alerts") == 2
    warnings = [each.message for each in caplog.records if each.name.endswith("postgres_alerts")]
    assert [error in each for each in warnings] == [True, True]


async def test_without_receivers_open_alerts_wait_for_one(server: Server, opened: Database) -> None:
    async with httpx.AsyncClient() as client:
        await asyncio.wait_for((await publish(opened, "", client, published=[])).run(), 10)
        await publish(opened, "", client, published=[OPENED])
        assert await drain(await publish(opened, server.url, client, published=[])) == []
        deliveries = delivering(opened, server.url, client)
        assert await deliveries.plan() == 1


async def test_a_message_is_delivered_again_to_its_receiver_alone(server: Server, opened: Database) -> None:
    urls = f"{server.url}, {server.url}/second"
    server.answers = ["404 Gone", "404 Gone"]
    async with httpx.AsyncClient() as client:
        deliveries = await publish(opened, urls, client, published=[OPENED])
        await drain(deliveries)
        first, second = sorted(await deliveries.log(), key=lambda each: each["id"])
        assert (first["state"], second["state"]) == ("failed", "failed")
        again = await deliveries.redeliver(first["id"])
        assert (again["state"], again["attempts"]) == ("pending", 0)
        await drain(deliveries)
        after = {each["id"]: each["state"] for each in await deliveries.log(MODEL)}
        assert after == {first["id"]: "delivered", second["id"]: "failed"}
        with pytest.raises(UnknownDeliveryError):
            await deliveries.redeliver(99)
        with pytest.raises(UnknownReceiverError) as error:
            await delivering(opened, "", client).redeliver(first["id"])
        assert "is no longer in RONDO_WEBHOOK_URLS of the monitor; put its address back there" in str(error.value)
    *_, (path, headers, content) = server.received
    originals = [each for each in server.received[:2] if each[0] == path]
    assert [(headers["idempotency-key"], content)] == [(each[1]["idempotency-key"], each[2]) for each in originals]


async def test_an_old_message_does_not_open_again_in_alertmanager_what_is_over(
    server: Server, opened: Database
) -> None:
    async with httpx.AsyncClient() as client:
        deliveries = await publish(opened, f"alertmanager+http://127.0.0.1:{server.port}", client, published=[OPENED])
        await drain(deliveries)
        await publish(opened, "", client, published=[OVER])
        (sent,) = await deliveries.log()
        await deliveries.redeliver(sent["id"])
        await drain(deliveries)
    first, second = (content[0] for _, _, content in server.received)
    assert (first["endsAt"][:4], second["endsAt"] < first["endsAt"]) == ("2200", True)


CHILD = """
import asyncio, sys
import httpx
from rondo.chassis.postgres import pool
from importlib.resources import files
from tests.monitor.notifications.receiver import delivering, settings

async def main(dsn, url):
    async with pool.connect(settings(dsn), files("rondo.monitor") / "migrations") as database, httpx.AsyncClient() as c:
        await delivering(database, url, c, poll=0.01).run()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_message_survives_a_kill_in_the_middle_of_its_call(
    server: Server, opened: Database, address: str
) -> None:
    async with httpx.AsyncClient() as client:
        await publish(opened, "", client, published=[OPENED])
        server.hold = asyncio.Event()
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, address, server.url)
        try:
            await server.arrived(1)
            os.kill(process.pid, signal.SIGKILL)
        finally:
            await process.wait()
        server.hold.set()
        assert [(each["state"], each["attempts"]) for each in await delivering(opened, "", client).log()] == [
            ("pending", 0)
        ]
        log = await drain(await publish(opened, server.url, client, published=[OVER]))
    assert log == [("opened", "delivered", 1, "200 OK"), ("resolved", "delivered", 1, "200 OK")]
    first, again, end = (headers["idempotency-key"] for _, headers, _ in server.received)
    assert (first == again, end == first) == (True, False)


def test_the_waits_of_these_tests_are_those_of_the_default() -> None:
    fields: Any = MonitorSettings.model_fields
    assert (AT_ONCE.repeat, fields["alert_repeat"].default) == ((timedelta(days=1), timedelta(days=7)), "1d,7d")
