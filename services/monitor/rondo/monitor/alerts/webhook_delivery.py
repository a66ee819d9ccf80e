"""Delivers the rows of the table `deliveries` to webhooks: in order per receiver, until delivered or failed.

At least once: after a crash between a call and its record, the call is repeated with the same `Idempotency-Key`. A slow
receiver delays only its own rows. Alertmanager keeps alerts in memory and expects repetitions of a firing alert
(https://prometheus.io/docs/alerting/latest/alerts_api); it notifies people once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from rondo.chassis.errors import Backoff
from rondo.chassis.retry import Retry
from rondo.monitor import metrics
from rondo.monitor.alerts.webhook import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.chassis.postgres.pool import Database
    from rondo.monitor.alerts.webhook import Receiver, Webhook

log = logging.getLogger(__name__)
# Alerts are for people: a second more does not matter.
_POLL_SECONDS = 1.0
_REPEAT_SECONDS = 60.0
# The delays between these add up to about two hours.
RETRIES = Backoff(first=1.0, cap=600.0, attempts=20)
# The oldest row of each receiver, if it is due: so an alert is delivered before its end.
_DUE = """
select * from (
    select distinct on (receiver) id, event_id, receiver, alert, attempts, next_at from deliveries
    where state = 'pending' order by receiver, id
) as first where next_at <= now()
"""
_RECORD = """
update deliveries set state = $2, attempts = $3, last_answer = $4, next_at = now() + make_interval(secs => $5)
where id = $1
"""
_FIRING = """
select event_id, receiver, alert from deliveries as raised
where receiver = any($1) and state <> 'pending' and not alert ? 'resolved_at' and not exists (
    select from deliveries as ended where ended.receiver = raised.receiver and ended.alert ? 'resolved_at'
    and ended.alert ->> 'alert_id' = raised.alert ->> 'alert_id'
) order by id
"""
_LOG = """
select event_id, receiver, alert ->> 'alert_id' as alert_id, state, attempts, last_answer, written_at
from deliveries order by id desc limit $1
"""


class Deliveries:
    """Polls for deliveries every `poll` seconds; repeats firing alerts to Alertmanager every `repeat_after` seconds."""

    def __init__(
        self,
        database: Database,
        webhook: Webhook,
        receivers: Sequence[Receiver],
        retries: Backoff = RETRIES,
        *,
        poll: float = _POLL_SECONDS,
        repeat_after: float = _REPEAT_SECONDS,
    ) -> None:
        self._database = database
        self._webhook = webhook
        self._receivers = {receiver.name: receiver for receiver in receivers}
        self._retries = retries
        self._poll, self._repeat_after = poll, repeat_after
        self._repeated_at = 0.0

    async def run(self) -> None:
        """Deliver until cancelled. Without receivers, return."""
        retry = Retry("webhook deliveries")
        self._repeated_at = time.monotonic()
        while self._receivers:
            await retry.call(self._deliver_and_repeat)
            await asyncio.sleep(self._poll)

    async def _deliver_and_repeat(self) -> None:
        while await self.deliver_due():
            pass
        if time.monotonic() - self._repeated_at >= self._repeat_after:
            self._repeated_at = time.monotonic()
            await self.repeat()

    async def deliver_due(self) -> int:
        """Call the receivers with due deliveries, concurrently; returns the number of calls."""
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_DUE)
        await asyncio.gather(*(self._deliver(row) for row in rows))
        return len(rows)

    async def repeat(self) -> int:
        """Repeat the firing alerts to each Alertmanager; returns how many there are."""
        names = [name for name, receiver in self._receivers.items() if receiver.format == "alertmanager"]
        if not names:
            return 0
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_FIRING, names)
        unreachable: set[str] = set()
        for row in rows:
            if row["receiver"] not in unreachable and not await self._repeat(row):
                unreachable.add(row["receiver"])  # until the next repetition, so as not to delay the others
        return len(rows)

    async def _repeat(self, row: Any) -> bool:
        answer = await self._webhook.call(self._receivers[row["receiver"]], row["event_id"], row["alert"])
        delivered = answer.outcome == "delivered"
        metrics.DELIVERIES.labels("repeated" if delivered else "not_repeated").inc()
        return delivered

    async def log(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the newest deliveries."""
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_LOG, limit)
        return [{**row, "written_at": row["written_at"].isoformat()} for row in rows]

    async def _deliver(self, row: Any) -> None:
        receiver, attempts = self._receivers.get(row["receiver"]), row["attempts"] + 1
        removed = Answer("refused", "this receiver is no longer in RONDO_WEBHOOK_URLS")
        answer = await self._webhook.call(receiver, row["event_id"], row["alert"]) if receiver else removed
        state = "delivered" if answer.outcome == "delivered" else "failed"
        if answer.outcome == "retry" and attempts < self._retries.attempts:
            state = "pending"
        delay = self._retries.delay(attempts)
        async with self._database.transaction() as transaction:
            await transaction.connection.execute(_RECORD, row["id"], state, attempts, answer.text, delay)
        log.log(
            logging.INFO if state == "delivered" else logging.WARNING,
            "alert %s to %s: %s (%s)", row["alert"]["alert_id"], row["receiver"], state, answer.text,
            extra={"attempt": attempts},
        )  # fmt: skip
        metrics.DELIVERIES.labels(state if state != "pending" else "retry").inc()
