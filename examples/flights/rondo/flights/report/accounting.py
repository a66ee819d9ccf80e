"""The account of a replay: every figure of its report, counted from the topics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.flights.report.report import Report, Retrain
from rondo.flights.report.scores import answered, by_month
from rondo.flights.report.trainings import trainings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from rondo.flights.observers.history import History
    from rondo.flights.observers.ledger import Ledger
    from rondo.flights.observers.outages import Outage


@dataclass(frozen=True)
class Played:
    """What was played: the flights, one request each, the scores of the model that is never retrained, and how it went.

    `seconds` is what the replay took, `unfinished` the requests that serving had left to do at the last reading.
    """

    flights: pl.DataFrame
    alone: NDArray[np.float32]
    seconds: float
    unfinished: int
    restarts: dict[str, int]
    outages: tuple[Outage, ...]
    required_redeployments: int


def account(played: Played, ledger: Ledger, history: History) -> Report:
    """Return the report."""
    return Report(
        expected=played.flights.height,
        requests=ledger.asked.total(),
        answered=ledger.answered.total(),
        refused=ledger.refused.total(),
        lost=tuple(ledger.lost()),
        doubled=tuple(ledger.doubled()),
        unfinished=played.unfinished,
        retrains=tuple(_retrains(ledger, history)),
        trainings=tuple(trainings(history)),
        auc_with_loop=by_month(played.flights, answered(played.flights, ledger.answers)),
        auc_without_loop=by_month(played.flights, played.alone),
        seconds_of_replay=played.seconds,
        restarts=played.restarts,
        outages=played.outages,
        versions_served=dict(sorted(ledger.by_version.items())),
        required_redeployments=played.required_redeployments,
    )


def _retrains(ledger: Ledger, history: History) -> Iterator[Retrain]:
    for turn in history.redeployments():
        first = ledger.first_by_version.get(turn.model_version)
        yield Retrain(
            model_version=turn.model_version,
            kind=turn.kind,
            detail=turn.detail,
            seconds_with_training=turn.total(first) if first else None,
            seconds_without_training=turn.without_training(first) if first else None,
        )
