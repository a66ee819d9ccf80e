"""Stores alerts and silences in PostgreSQL, and makes deliveries from the messages that are due."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rondo.chassis.errors import panics_as_errors
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved
from rondo.monitor.errors import UnknownSilenceError
from rondo.monitor.notifications.alert_record import AlertRecord, Silence, silence_of
from rondo.monitor.notifications.message_content import message, message_alert
from rondo.monitor.notifications.message_plan import due_messages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from rondo.chassis.postgres.pool import Database
    from rondo.monitor.notifications.message_content import AlertMessage, MessageAlert, Version
    from rondo.monitor.notifications.message_plan import PlannedMessage, Policy

    Evident = Callable[[], Awaitable[Mapping[Version, bool]]]

log = logging.getLogger(__name__)
# Messages wait this long for their marks. Summaries of many models take seconds.
_EVIDENT_SECONDS = 5.0
# The time for which resolved alerts and ended silences are listed.
RECENT = timedelta(days=7)
# The time for which resolved alerts, ended silences and deliveries are kept.
KEPT = timedelta(days=90)
_RAISE = """
insert into alerts (alert_id, model, version, kind, severity, title, detail, raised_at)
values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing
"""
_RESOLVE = """
update alerts set resolved_at = $2, resolution = $3, closed_at = now() where alert_id = $1 and closed_at is null
"""
# A firing message about an alert is written before its end, so it is never kept longer than the message about the end.
# Rows that another transaction has locked are left to the next call.
_PRUNE = (
    """
    delete from alerts where alert_id in (
        select alert_id from alerts where closed_at < now() - $1::interval and (messages = 0 or end_sent)
        for update skip locked
    )
    """,
    """
    delete from deliveries where id in (
        select id from deliveries where written_at < now() - $1::interval and state <> 'pending' for update skip locked
    )
    """,
    "delete from silences where until < now() - $1::interval",
)
_UNSETTLED = """
select * from alerts where closed_at is null or (messages > 0 and not end_sent) order by opened_at, alert_id
"""
# The rows are locked: a second process that plans at the same time waits, and then reads what the first one has sent.
_LOCKED = f"{_UNSETTLED} for update"
_SILENCES = """
select * from silences where ($1::text is null or model = $1) and until > coalesce($2, now()) order by silence_id
"""
_SAVE_DELIVERY = """
insert into deliveries (message_id, receiver, content) values ($1, $2, $3) on conflict do nothing
"""
_SENT = "update alerts set messages = messages + 1, last_message_at = $2 where alert_id = any($1)"
_END_SENT = "update alerts set end_sent = true where alert_id = any($1)"
_ALERTS = """
select * from alerts where ($1::text is null or model = $1) and (closed_at is null or closed_at > now() - $2::interval)
order by closed_at is not null, opened_at desc, alert_id
"""
_SILENCE = """
insert into silences (model, kind, reason, created_by, until) values ($1, $2, $3, $4, now() + $5::interval) returning *
"""
_END_SILENCE = """
update silences set ended_at = now(), ended_by = $2 where silence_id = $1 and ended_at is null and until > now()
"""


async def save_alert(connection: Any, event: AlertRaised | AlertResolved) -> None:
    """Save that an alert has opened or is resolved, within a transaction. A repetition changes nothing.

    When an alert opens, rows that are older than `KEPT` are deleted.
    """
    if isinstance(event, AlertResolved):
        await connection.execute(_RESOLVE, event.alert_id, event.resolved_at, event.detail)
        return
    await connection.execute(
        _RAISE, event.alert_id, event.model, event.model_version, event.kind, event.severity, event.title, event.detail,
        event.raised_at,
    )  # fmt: skip
    for statement in _PRUNE:
        await connection.execute(statement, KEPT)


async def all_unknown() -> Mapping[Version, bool]:
    return {}


class PostgresAlerts:
    """Alerts and silences. Every method raises UnavailableError while PostgreSQL is unavailable.

    `evident` returns whether the evidence of a version suffices among all models, for the versions with evidence. It is
    called for each message. Messages have no mark if it fails or takes longer than `evident_seconds`.
    """

    def __init__(
        self, database: Database, evident: Evident = all_unknown, *, evident_seconds: float = _EVIDENT_SECONDS
    ) -> None:
        self._database, self._evident, self._evident_seconds = database, evident, evident_seconds

    async def plan(self, policy: Policy, receivers: Sequence[str]) -> int:
        """Make a delivery to each receiver for every message that is due. Returns the number of messages."""
        async with self._database.transaction() as transaction:
            planned, _ = await _due(transaction.connection, policy, _UNSETTLED)
        if not planned:
            return 0
        # Checkpoints that raise or end an alert lock its row, and must not wait for the marks.
        found = await self._marks()
        async with self._database.transaction() as transaction:
            planned, now = await _due(transaction.connection, policy, _LOCKED)
            for each in planned:
                await _save(transaction.connection, each, message(each, found), receivers, now)
        return len(planned)

    async def firing(self, policy: Policy) -> list[tuple[AlertRecord, MessageAlert]]:
        """Return the alerts that are open, have been sent, are not silenced, and that the policy still sends."""
        listed = await self.alerts(None)
        found = [each for each, silence in listed if _is_firing(each) and silence is None and policy.sends(each)]
        versions = await self._marks() if found else {}
        return [(alert, message_alert(alert, versions)) for alert in found]

    async def _marks(self) -> Mapping[Version, bool]:
        """Return what `evident` returns. Empty if it fails, or takes too long."""
        try:
            with panics_as_errors():
                async with asyncio.timeout(self._evident_seconds):
                    return await self._evident()
        except Exception as error:  # the boundary: `evident` decodes what other replicas saved, and alerts must be sent
            log.warning(
                "the evidence among all models can't be read, so alerts are sent without it: %s",
                f"{type(error).__name__}: {error}", exc_info=error,
            )  # fmt: skip
            return {}

    async def alerts(self, model: str | None) -> list[tuple[AlertRecord, Silence | None]]:
        """Return the alerts of a model, or of all, each with its silence: the open, then the recently ended ones."""
        async with self._database.transaction() as transaction:
            connection = transaction.connection
            rows = await connection.fetch(_ALERTS, model, RECENT)
            now: datetime = await connection.fetchval("select now()")
            silences = [_silence(row) for row in await connection.fetch(_SILENCES, model, None)]
        alerts = [_alert(row) for row in rows]
        return [(alert, None if alert.closed_at else silence_of(alert, silences, now)) for alert in alerts]

    async def silences(self, model: str | None) -> list[tuple[Silence, bool]]:
        """Return the active and recently ended silences of a model, or of all, and whether each is active."""
        async with self._database.transaction() as transaction:
            now: datetime = await transaction.connection.fetchval("select now()")
            rows = await transaction.connection.fetch(_SILENCES, model, now - RECENT)
        return [(silence, silence.active(now)) for silence in map(_silence, rows)]

    async def silenced(self) -> set[tuple[str, str]]:
        """Return the models and kinds of the open alerts that are silenced."""
        return {(alert.model, alert.kind) for alert, silence in await self.alerts(None) if silence is not None}

    async def silence(self, model: str, kind: str | None, lasting: timedelta, reason: str, by: str) -> Silence:
        """Silence the alerts of a model, or those of a kind."""
        async with self._database.transaction() as transaction:
            row = await transaction.connection.fetchrow(_SILENCE, model, kind, reason, by, lasting)
        return _silence(row)

    async def end_silence(self, silence_id: int, by: str) -> Silence:
        """End a silence now. A silence that has ended already does not change.

        Raises:
            UnknownSilenceError: there is no such silence.

        """
        async with self._database.transaction() as transaction:
            await transaction.connection.execute(_END_SILENCE, silence_id, by)
            row = await transaction.connection.fetchrow("select * from silences where silence_id = $1", silence_id)
        if row is None:
            raise UnknownSilenceError(silence_id)
        return _silence(row)


async def _due(connection: Any, policy: Policy, alerts_query: str) -> tuple[list[PlannedMessage], datetime]:
    """Return the messages that are due, and the time of the server."""
    alerts = [_alert(row) for row in await connection.fetch(alerts_query)]
    now: datetime = await connection.fetchval("select now()")
    if not alerts:
        return [], now
    # Silences that ended since the last message about an alert count, too: after them the alert is sent again.
    since = min(each.last_message_at or now for each in alerts)
    silences = [_silence(row) for row in await connection.fetch(_SILENCES, None, since)]
    return due_messages(alerts, silences, policy, now), now


async def _save(
    connection: Any, planned: PlannedMessage, content: AlertMessage, receivers: Sequence[str], now: datetime
) -> None:
    body = content.model_dump(mode="json")
    deliveries = [(planned.message_id, receiver, body) for receiver in receivers]
    await connection.executemany(_SAVE_DELIVERY, deliveries)
    ids = [each.alert_id for each in planned.alerts]
    if planned.reason == "resolved":
        await connection.execute(_END_SENT, ids)
    else:
        await connection.execute(_SENT, ids, now)


def _is_firing(alert: AlertRecord) -> bool:
    return alert.closed_at is None and alert.messages > 0


def _alert(row: Any) -> AlertRecord:
    return AlertRecord(**dict(row))


def _silence(row: Any) -> Silence:
    return Silence(**dict(row))
