"""Builds the report of a run from the counts of the topics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.flights.report.report import Report, Retrain
from rondo.flights.report.scores import answered, by_month
from rondo.flights.report.trainings import trainings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from rondo.flights.examples import Example
    from rondo.flights.observers.history import History
    from rondo.flights.observers.ledger import Ledger
    from rondo.flights.observers.outages import Outage
    from rondo.flights.report.scores import Outputs


@dataclass(frozen=True)
class Run:
    """A finished run: one request per flight. `baseline` are the outputs of the first model, aligned with the flights.

    `seconds` is the duration of the replay. `unfinished` is the number of requests that serving had not committed at
    the final reading.
    """

    example: Example
    flights: pl.DataFrame
    baseline: Outputs
    seconds: float
    training_speed: float
    unfinished: int
    restarts: dict[str, int]
    outages: tuple[Outage, ...]
    required_redeployments: int


def build_report(run: Run, ledger: Ledger, history: History) -> Report:
    return Report(
        expected=run.flights.height,
        requests=ledger.requested.total(),
        answered=ledger.answered.total(),
        refused=ledger.refused.total(),
        lost=tuple(ledger.lost()),
        doubled=tuple(ledger.doubled()),
        unfinished=run.unfinished,
        retrains=tuple(_retrains(ledger, history)),
        trainings=tuple(trainings(history)),
        example=run.example.name,
        metric=run.example.metric.name,
        with_loop=by_month(run.example, run.flights, answered(run.flights, ledger.answers)),
        without_loop=by_month(run.example, run.flights, run.baseline),
        seconds_of_replay=run.seconds,
        training_speed=run.training_speed,
        restarts=run.restarts,
        outages=run.outages,
        versions_served=dict(sorted(ledger.by_version.items())),
        required_redeployments=run.required_redeployments,
    )


def _retrains(ledger: Ledger, history: History) -> Iterator[Retrain]:
    for redeployment in history.redeployments():
        first = ledger.first_by_version.get(redeployment.model_version)
        yield Retrain(
            model_version=redeployment.model_version,
            kind=redeployment.kind,
            detail=redeployment.detail,
            seconds_with_training=redeployment.total(first) if first else None,
            seconds_without_training=redeployment.without_training(first) if first else None,
        )
