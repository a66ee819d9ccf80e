"""Delivers the rows of the table `deliveries` to receivers: in order per receiver, until delivered or failed.

Delivery is at least once: after a crash between a call and its record, the call is repeated with the same
`Idempotency-Key`. Receivers are called at the same time, each with its oldest row. The next rows follow when all of
these calls have ended, so a slow receiver delays the others by one call at a time. Alertmanager keeps alerts in memory
and expects repetitions of a firing alert (https://prometheus.io/docs/alerting/latest/alerts_api). It notifies people
once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.postgres import pool
from rondo.chassis.retry import Retry
from rondo.contracts.text import storable
from rondo.monitor import metrics
from rondo.monitor.errors import UnknownDeliveryError, UnknownReceiverError
from rondo.monitor.notifications.message_content import AlertMessage, with_ends
from rondo.monitor.notifications.webhook_receivers import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from rondo.chassis.postgres.pool import Database
    from rondo.monitor.notifications.alert_record import AlertRecord
    from rondo.monitor.notifications.message_content import MessageAlert
    from rondo.monitor.notifications.message_plan import Policy
    from rondo.monitor.notifications.postgres_alerts import PostgresAlerts
    from rondo.monitor.notifications.webhook import Webhook
    from rondo.monitor.notifications.webhook_receivers import Receiver

log = logging.getLogger(__name__)
# People read alerts, so a delay of a second does not matter.
_POLL_SECONDS = 1.0
_REPEAT_SECONDS = 60.0
_ANSWER_SECONDS = 5.0
_HOLD = "select pg_try_advisory_lock(hashtext('monitor.deliveries'))"
# The delays between all attempts add up to about two hours.
RETRIES = Backoff(first=1.0, cap=600.0, attempts=20)
# The oldest row of each receiver, if it is due. So an alert is delivered before its end.
_DUE = """
select * from (
    select distinct on (receiver) id, receiver, content, attempts, next_at from deliveries
    where state = 'pending' order by receiver, id
) as first where next_at <= now()
"""
_RECORD = """
update deliveries set state = $2, attempts = $3, last_answer = $4, next_at = now() + make_interval(secs => $5)
where id = $1
"""
_ENDS = "select alert_id, resolved_at, resolution from alerts where alert_id = any($1) and closed_at is not null"
_COLUMNS = """
select id, message_id, receiver, content ->> 'model' as model, content ->> 'status' as status,
    content ->> 'reason' as reason, jsonb_path_query_array(content, '$.alerts[*].alert_id') as alert_ids,
    state, attempts, last_answer, written_at from deliveries
"""
_LOG = f"{_COLUMNS} where ($1::text is null or content ->> 'model' = $1) order by id desc limit $2"
_ONE = f"{_COLUMNS} where id = $1"
_AGAIN = "update deliveries set state = 'pending', attempts = 0, next_at = now() where id = $1"


async def _nothing() -> None: ...


class Deliveries:
    """Polls for due messages and deliveries every `poll` seconds.

    Repeats firing alerts to Alertmanager every `repeat_after` seconds.
    """

    def __init__(
        self,
        database: Database,
        alerts: PostgresAlerts,
        webhook: Webhook,
        receivers: Sequence[Receiver],
        policy: Policy,
        retries: Backoff = RETRIES,
        *,
        poll: float = _POLL_SECONDS,
        repeat_after: float = _REPEAT_SECONDS,
    ) -> None:
        self._database, self._alerts, self._webhook = database, alerts, webhook
        self._receivers = {receiver.name: receiver for receiver in receivers}
        self._policy, self._retries = policy, retries
        self._poll, self._repeat_after = poll, repeat_after
        self._repeated_at = 0.0
        self._retry = Retry("deliveries of alerts", (UnavailableError, TimeoutError))

    async def run(self) -> None:
        """Deliver until cancelled.

        Without receivers, return: open alerts are then delivered after a start with receivers. One replica delivers at
        a time, so that replicas do not repeat each other's messages. Another replica takes over when its database
        session ends. The session of a replica that hangs ends, too, because it is not used.
        """
        if self._receivers:
            await self._retry.call(self._hold_and_deliver)

    async def _hold_and_deliver(self) -> None:
        async with self._database.session(pool.HUNG_SECONDS) as session:
            while not await session.fetchval(_HOLD, timeout=_ANSWER_SECONDS):
                self._retry.progressed()
                await asyncio.sleep(self._poll)
            self._repeated_at = time.monotonic()

            async def hold() -> None:
                # The lock ends with the connection, and then the deliveries must end, too. The query keeps the session
                # in use.
                await session.execute("select 1", timeout=_ANSWER_SECONDS)

            while True:
                await self._deliver_and_repeat(hold)
                self._retry.progressed()
                await asyncio.sleep(self._poll)
                await hold()

    async def _deliver_and_repeat(self, hold: Callable[[], Awaitable[None]]) -> None:
        await self.plan(hold)
        while await self.deliver_due():
            await hold()
        if time.monotonic() - self._repeated_at >= self._repeat_after:
            self._repeated_at = time.monotonic()
            await self.repeat(hold)

    async def plan(self, hold: Callable[[], Awaitable[None]] = _nothing) -> int:
        """Make the deliveries of the messages that are due. Returns the number of messages.

        `hold` is awaited after messages were made, because their marks may take seconds.
        """
        if not self._receivers:
            return 0
        if planned := await self._alerts.plan(self._policy, list(self._receivers)):
            await hold()
        return planned

    async def deliver_due(self) -> int:
        """Call the receivers with due deliveries, concurrently. Returns the number of calls."""
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_DUE)
        await asyncio.gather(*(self._deliver(row) for row in rows))
        return len(rows)

    async def repeat(self, hold: Callable[[], Awaitable[None]] = _nothing) -> int:
        """Repeat the firing alerts to each Alertmanager. Returns the number of alerts.

        `hold` is awaited before each call.
        """
        receivers = [receiver for receiver in self._receivers.values() if receiver.format == "alertmanager"]
        if not receivers:
            return 0
        messages = list(_by_group(await self._alerts.firing(self._policy)))
        for receiver in receivers:
            for message in messages:
                await hold()
                if not await self._repeat(receiver, message):
                    break  # The next repetition tries again, so that the others are not delayed.
        return sum(len(message.alerts) for message in messages)

    async def _repeat(self, receiver: Receiver, message: AlertMessage) -> bool:
        answer = await self._webhook.call(receiver, message)
        delivered = answer.outcome == "delivered"
        metrics.DELIVERIES.labels("repeated" if delivered else "not_repeated").inc()
        return delivered

    async def log(self, model: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Return the newest deliveries, of a model or of all models."""
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_LOG, model, limit)
        return [_logged(row) for row in rows]

    async def redeliver(self, delivery_id: int) -> dict[str, Any]:
        """Deliver a message again to its receiver, with the same id and content. Returns its row of the log.

        Raises:
            UnknownDeliveryError: there is no such delivery.
            UnknownReceiverError: its receiver is no longer in the settings.

        """
        async with self._database.transaction() as transaction:
            found = await transaction.connection.fetchrow(f"{_ONE} for update", delivery_id)
            if found is None:
                raise UnknownDeliveryError(delivery_id)
            if found["receiver"] not in self._receivers:
                raise UnknownReceiverError(found["receiver"])
            await transaction.connection.execute(_AGAIN, delivery_id)
            return _logged(await transaction.connection.fetchrow(_ONE, delivery_id))

    async def _deliver(self, row: Any) -> None:
        receiver, attempts = self._receivers.get(row["receiver"]), row["attempts"] + 1
        removed = Answer("refused", "this receiver is no longer in RONDO_WEBHOOK_URLS")
        answer = await self._call(receiver, row["content"]) if receiver else removed
        state = "delivered" if answer.outcome == "delivered" else "failed"
        if answer.outcome == "retry" and attempts < self._retries.attempts:
            state = "pending"
        delay = self._retries.delay(attempts)
        # The error quotes the receiver's answer, which may contain characters that PostgreSQL rejects.
        said = storable(answer.text)
        async with self._database.transaction() as transaction:
            await transaction.connection.execute(_RECORD, row["id"], state, attempts, said, delay)
        log.log(
            logging.INFO if state == "delivered" else logging.WARNING,
            "message %s to %s: %s (%s)", row["content"]["message_id"], row["receiver"], state, said,
            extra={"attempt": attempts},
        )  # fmt: skip
        metrics.DELIVERIES.labels(state if state != "pending" else "retry").inc()

    async def _call(self, receiver: Receiver, content: Any) -> Answer:
        message = AlertMessage.model_validate(content)
        if receiver.format == "alertmanager":
            # Alertmanager takes alerts, not messages: an old message must not reopen an alert that is resolved.
            message = with_ends(message, await self._ends([each.alert_id for each in message.alerts]))
        return await self._webhook.call(receiver, message)

    async def _ends(self, alert_ids: Sequence[str]) -> dict[str, Any]:
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_ENDS, list(alert_ids))
        return {row["alert_id"]: (row["resolved_at"], row["resolution"]) for row in rows}


def _by_group(firing: Sequence[tuple[AlertRecord, MessageAlert]]) -> Iterator[AlertMessage]:
    """Yield a message for each model and version. Alertmanager gets only the alerts."""
    by_group = sorted(firing, key=lambda each: (each[0].model, each[0].version or 0))
    for (model, version), alerts in groupby(by_group, key=lambda each: (each[0].model, each[0].version)):
        yield AlertMessage(
            message_id=f"{model}/{version}", status="firing", reason="repeated", model=model, model_version=version,
            alerts=tuple(alert for _, alert in alerts),
        )  # fmt: skip


def _logged(row: Any) -> dict[str, Any]:
    return {**row, "written_at": row["written_at"].isoformat()}
