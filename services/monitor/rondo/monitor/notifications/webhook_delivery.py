"""Delivers the rows of the table `deliveries` to receivers: in order per receiver, until delivered or failed.

At least once: after a crash between a call and its record, the call is repeated with the same `Idempotency-Key`.
Receivers are called at the same time, each with its oldest row, and their next rows follow when all of these calls have
ended: a slow receiver delays the others by one call of its own at a time. Alertmanager keeps alerts in memory and
expects repetitions of a firing alert (https://prometheus.io/docs/alerting/latest/alerts_api). It notifies people once.
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
# Alerts are for people: a second more does not matter.
_POLL_SECONDS = 1.0
_REPEAT_SECONDS = 60.0
_ANSWER_SECONDS = 5.0
_HOLD = "select pg_try_advisory_lock(hashtext('monitor.deliveries'))"
# The delays between these add up to about two hours.
RETRIES = Backoff(first=1.0, cap=600.0, attempts=20)
# The oldest row of each receiver, if it is due: so an alert is delivered before its end.
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
    """Polls for messages that are due and for deliveries every `poll` seconds.

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
        """Deliver until cancelled. Without receivers, return: alerts that are open then wait for one.

        One replica delivers at a time, so that replicas don't repeat each other's messages. Another goes on when its
        session ends, also if it hangs: its session is not used then.
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
                # The lock ends with the connection, and so must the deliveries. Without use the session ends.
                await session.execute("select 1", timeout=_ANSWER_SECONDS)

            while True:
                await self._deliver_and_repeat(hold)
                self._retry.progressed()
                await asyncio.sleep(self._poll)
                await hold()

    async def _deliver_and_repeat(self, hold: Callable[[], Awaitable[None]]) -> None:
        await self.plan()
        while await self.deliver_due():
            await hold()
        if time.monotonic() - self._repeated_at >= self._repeat_after:
            self._repeated_at = time.monotonic()
            await self.repeat(hold)

    async def plan(self) -> int:
        """Make the deliveries of the messages that are due. Returns the number of messages."""
        if not self._receivers:
            return 0
        return await self._alerts.plan(self._policy, list(self._receivers))

    async def deliver_due(self) -> int:
        """Call the receivers with due deliveries, concurrently. Returns the number of calls."""
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_DUE)
        await asyncio.gather(*(self._deliver(row) for row in rows))
        return len(rows)

    async def repeat(self, hold: Callable[[], Awaitable[None]] = _nothing) -> int:
        """Repeat the firing alerts to each Alertmanager. Returns how many there are. `hold` is awaited before each."""
        receivers = [receiver for receiver in self._receivers.values() if receiver.format == "alertmanager"]
        if not receivers:
            return 0
        messages = list(_by_group(await self._alerts.firing()))
        for receiver in receivers:
            for message in messages:
                await hold()
                if not await self._repeat(receiver, message):
                    break  # until the next repetition, so as not to delay the others
        return sum(len(message.alerts) for message in messages)

    async def _repeat(self, receiver: Receiver, message: AlertMessage) -> bool:
        answer = await self._webhook.call(receiver, message)
        delivered = answer.outcome == "delivered"
        metrics.DELIVERIES.labels("repeated" if delivered else "not_repeated").inc()
        return delivered

    async def log(self, model: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Return the newest deliveries, of a model or of all."""
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
        # It quotes the receiver, whose answer may hold what PostgreSQL refuses.
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
            # It takes alerts, not messages: an old message must not open again what is over.
            message = with_ends(message, await self._ends([each.alert_id for each in message.alerts]))
        return await self._webhook.call(receiver, message)

    async def _ends(self, alert_ids: Sequence[str]) -> dict[str, Any]:
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_ENDS, list(alert_ids))
        return {row["alert_id"]: (row["resolved_at"], row["resolution"]) for row in rows}


def _by_group(firing: Sequence[tuple[AlertRecord, MessageAlert]]) -> Iterator[AlertMessage]:
    """Yield a message for each model and version. Alertmanager gets its alerts alone."""
    by_group = sorted(firing, key=lambda each: (each[0].model, each[0].version or 0))
    for (model, version), alerts in groupby(by_group, key=lambda each: (each[0].model, each[0].version)):
        yield AlertMessage(
            message_id=f"{model}/{version}", status="firing", reason="repeated", model=model, model_version=version,
            alerts=tuple(alert for _, alert in alerts),
        )  # fmt: skip


def _logged(row: Any) -> dict[str, Any]:
    return {**row, "written_at": row["written_at"].isoformat()}
