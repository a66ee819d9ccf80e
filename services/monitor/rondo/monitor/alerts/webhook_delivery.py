"""Calls the webhooks for what waits in the table `deliveries`: in order per receiver, until delivered or failed.

At least once: a crash between the call and its note calls again, with the same `Idempotency-Key`. Nothing waits for
a webhook but its own rows. An Alertmanager keeps alerts in memory alone, and expects to be told again of one that lasts
(https://prometheus.io/docs/alerting/latest/alerts_api); it tells people once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from rondo.chassis.errors import Backoff, UnavailableError
from rondo.monitor import metrics
from rondo.monitor.alerts.webhook import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.chassis.postgres.pool import Database
    from rondo.monitor.alerts.webhook import Receiver, Webhook

log = logging.getLogger(__name__)
# The table is the truth and is looked at this often; alerts are for people, who don't mind a second.
_POLL_SECONDS = 1.0
_REPEAT_SECONDS = 60.0
# The waits between these add up to about two hours.
RETRIES = Backoff(first=1.0, cap=600.0, attempts=20)
# The oldest one of each receiver, when it is due: so a receiver hears of an alert before it hears of its end.
_DUE = """
select * from (
    select distinct on (receiver) id, event_id, receiver, alert, attempts, next_at from deliveries
    where state = 'pending' order by receiver, id
) as first where next_at <= now()
"""
_NOTE = """
update deliveries set state = $2, attempts = $3, last_answer = $4, next_at = now() + make_interval(secs => $5)
where id = $1
"""
_LASTING = """
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
    """Moves deliveries to their receivers; looks for new ones each `poll` seconds, and repeats after so many."""

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

    async def run(self) -> None:
        """Deliver until cancelled; without receivers there is nothing to do."""
        repeated = time.monotonic()
        while self._receivers:
            try:
                while await self.deliver_due():
                    pass
                if time.monotonic() - repeated >= self._repeat_after:
                    repeated = time.monotonic()
                    await self.repeat()
            except UnavailableError as error:
                log.warning("the webhooks wait: %s", error)
            await asyncio.sleep(self._poll)

    async def deliver_due(self) -> int:
        """Call each receiver that has something due, side by side; returns how many calls there were."""
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_DUE)
        await asyncio.gather(*(self._deliver(row) for row in rows))
        return len(rows)

    async def repeat(self) -> int:
        """Tell each Alertmanager again of the alerts that last; returns how many there are."""
        names = [name for name, receiver in self._receivers.items() if receiver.format == "alertmanager"]
        if not names:
            return 0
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_LASTING, names)
        silent: set[str] = set()
        for row in rows:
            if row["receiver"] not in silent and not await self._repeat(row):
                silent.add(row["receiver"])  # until the next time: what is due for others may not wait for it
        return len(rows)

    async def _repeat(self, row: Any) -> bool:
        answer = await self._webhook.call(self._receivers[row["receiver"]], row["event_id"], row["alert"])
        delivered = answer.outcome == "delivered"
        metrics.DELIVERIES.labels("repeated" if delivered else "not_repeated").inc()
        return delivered

    async def log(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the newest deliveries: to whom, about which alert, in which state and with which last answer."""
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_LOG, limit)
        return [{**row, "written_at": row["written_at"].isoformat()} for row in rows]

    async def _deliver(self, row: Any) -> None:
        receiver, attempts = self._receivers.get(row["receiver"]), row["attempts"] + 1
        gone = Answer("refused", "this receiver is no longer among RONDO_WEBHOOK_URLS")
        answer = await self._webhook.call(receiver, row["event_id"], row["alert"]) if receiver else gone
        state = "delivered" if answer.outcome == "delivered" else "failed"
        if answer.outcome == "retry" and attempts < self._retries.attempts:
            state = "pending"
        delay = self._retries.delay(attempts)
        async with self._database.transaction() as transaction:
            await transaction.connection.execute(_NOTE, row["id"], state, attempts, answer.text, delay)
        log.log(
            logging.INFO if state == "delivered" else logging.WARNING,
            "alert %s to %s: %s (%s)", row["alert"]["alert_id"], row["receiver"], state, answer.text,
            extra={"attempt": attempts},
        )  # fmt: skip
        metrics.DELIVERIES.labels(state if state != "pending" else "retry").inc()
