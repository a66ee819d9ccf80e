"""The demo: replays a year of flights through a running Rondo, and reports every prediction."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from rondo.flights.dataset import flights as dataset
from rondo.flights.dataset.messages import stream_of
from rondo.flights.observers.outages import OutageObserver, all_ready
from rondo.flights.observers.readers import reading
from rondo.flights.plan import SystemControls
from rondo.flights.replay.first_model import first_model, publish_flights
from rondo.flights.replay.replay import Replay
from rondo.flights.report.accounting import Run, build_report
from rondo.flights.report.scores import FirstModel

if TYPE_CHECKING:
    from rondo.client import AsyncRondo
    from rondo.flights.plan import Plan
    from rondo.flights.report.report import Report
    from rondo.flights.view.observer import RunObserver

_LAST_ANSWER_SECONDS = 60.0


async def run(rondo: AsyncRondo, plan: Plan, observer: RunObserver, controls: SystemControls | None = None) -> Report:
    """Run the demo against a running system, and return its report.

    Raises:
        FlightsError: the demo failed, and there is no report. The error has a subclass of FlightsError.

    """
    controls = controls or SystemControls()
    observer.step("reading the flights of 2013")
    flights = await asyncio.to_thread(dataset.load)
    outages = OutageObserver(controls.restarts, partial(all_ready, rondo))
    with reading(rondo.connection.kafka) as readers:
        async with outages.observing():
            await publish_flights(rondo, flights, plan, observer)
            artifact = await first_model(rondo, plan, readers, observer)
            streamed = stream_of(flights, plan.stream_from, plan.until)
            baseline = await asyncio.to_thread(FirstModel(artifact, plan.example.spec.features).outputs, streamed)
            seconds = await Replay(rondo.connection.kafka, streamed, plan, readers, baseline, outages).run(
                observer, controls
            )
            observer.step("waiting for the last answers, then reading every topic to its end")
            unfinished = await readers.close(_LAST_ANSWER_SECONDS)
    finished = Run(
        plan.example,
        streamed,
        baseline,
        seconds,
        plan.training_speed,
        unfinished,
        controls.restarts(),
        tuple(outages.found),
        plan.required_redeployments,
    )
    return build_report(finished, readers.auditor.ledger, readers.listener.history)
