"""The demo: a year of flights through a running Rondo, watched, and accounted for to the last prediction."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from rondo.flights.dataset import flights as dataset
from rondo.flights.dataset.messages import stream_of
from rondo.flights.observers.outages import Outages, all_ready
from rondo.flights.observers.readers import reading
from rondo.flights.plan import Hands
from rondo.flights.replay.first_model import first_model, publish
from rondo.flights.replay.replay import Replay
from rondo.flights.report.accounting import Played, account
from rondo.flights.report.scores import NeverRetrained

if TYPE_CHECKING:
    from rondo.client import AsyncRondo
    from rondo.flights.plan import Plan, Watcher
    from rondo.flights.report.report import Report

_LAST_ANSWER_SECONDS = 60.0


async def run(rondo: AsyncRondo, bootstrap: str, plan: Plan, watcher: Watcher, hands: Hands | None = None) -> Report:
    """Play the demo against a running system, and return its report.

    Raises:
        FlightsError: as its subclasses say; there is no report then.

    """
    hands = hands or Hands()
    watcher.step("reading the flights of 2013")
    flights = await asyncio.to_thread(dataset.load)
    outages = Outages(hands.restarts, partial(all_ready, rondo))
    with reading(bootstrap) as readers:
        async with outages.watched():
            await publish(rondo, flights, plan, watcher)
            first = await first_model(rondo, readers, watcher)
            streamed = stream_of(flights, plan.stream_from, plan.until)
            alone = await asyncio.to_thread(NeverRetrained(first, streamed).scores)
            seconds = await Replay(bootstrap, streamed, plan, readers, alone, outages).play(watcher, hands)
            watcher.step("waiting for the last answers, then reading every topic to its end")
            unfinished = await readers.close(_LAST_ANSWER_SECONDS)
    played = Played(
        streamed, alone, seconds, unfinished, hands.restarts(), tuple(outages.found), plan.required_redeployments
    )
    return account(played, readers.auditor.ledger, readers.listener.history)
