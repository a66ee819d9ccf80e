"""The report of a run: counts, durations, and the success of the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.flights.observers.outages import Outage
    from rondo.flights.report.trainings import Training

REDEPLOYMENTS_OF_A_YEAR = 3
_MAX_LISTED = 5


@dataclass(frozen=True)
class Retrain:
    """An automatic redeployment, in seconds from the monitor's event to the first prediction of the new version."""

    model_version: int
    kind: str
    detail: str
    seconds_with_training: float | None
    seconds_without_training: float | None


@dataclass(frozen=True)
class Report:
    """The report of a run. `lost` and `doubled` are request ids from the topics.

    `with_loop` and `without_loop` are the `metric` by month (1 to 12), of the answers and of the first model.

    `expected` is the number of requests to send, `requests` the number in Kafka. `unfinished` is the number of requests
    that serving had not committed at the final reading of the topics. `training_speed` is the share of its speed at
    which the replay continued during trainings.
    """

    example: str
    metric: str
    expected: int
    requests: int
    answered: int
    refused: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    unfinished: int
    retrains: tuple[Retrain, ...]
    trainings: tuple[Training, ...]
    with_loop: dict[int, float]
    without_loop: dict[int, float]
    seconds_of_replay: float
    training_speed: float
    restarts: dict[str, int]
    versions_served: dict[int, int]
    required_redeployments: int = REDEPLOYMENTS_OF_A_YEAR
    outages: tuple[Outage, ...] = ()

    @property
    def problems(self) -> list[str]:
        """The reasons why this run is not a success. Empty for a success."""
        return [*_miscounted(self), *_unanswered(self), *_too_few_redeployments(self)]

    @property
    def exit_code(self) -> int:
        """0 for a success, else 1."""
        return 1 if self.problems else 0

    def as_dict(self) -> dict[str, object]:
        """Return the report as JSON values, with `problems` and `ok`."""
        return asdict(self) | {"problems": self.problems, "ok": not self.problems}


def _miscounted(report: Report) -> Iterator[str]:
    if report.requests < report.expected:
        yield (
            f"{report.requests:,} of the {report.expected:,} requests to send are in Kafka: "
            "see kafka.log under the stack's folder"
        )
    if report.requests > report.expected:
        yield (
            f"{report.requests:,} requests are in Kafka, but the demo sends {report.expected:,}: other clients use "
            "this Rondo, or did before; give the demo its own"
        )
    if not report.requests:
        yield "no request was sent: see the services' logs under the stack's folder"
    if report.unfinished:
        yield (
            f"serving had not finished {report.unfinished:,} requests at the last reading of the topics: their answers "
            "are not counted; see serving.log under the stack's folder"
        )


def _unanswered(report: Report) -> Iterator[str]:
    if report.lost:
        yield f"{len(report.lost)} requests have no answer, such as {', '.join(report.lost[:_MAX_LISTED])}"
    if report.doubled:
        yield f"{len(report.doubled)} requests were answered twice, such as {', '.join(report.doubled[:_MAX_LISTED])}"
    if report.refused:
        yield f"{report.refused} requests were refused: `rondo failed` shows the reasons"


def _too_few_redeployments(report: Report) -> Iterator[str]:
    served = [retrain for retrain in report.retrains if retrain.seconds_with_training is not None]
    if len(served) < report.required_redeployments:
        yield (
            f"{len(served)} redeployments were automatic and served, "
            f"{report.required_redeployments} are required; a slower SPEED gives the training more event time"
        )
