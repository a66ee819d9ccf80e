"""A year in event time, without Kafka or a clock: which version serves when, and what monitor and trainer decide.

The decisions are the services' own, unchanged: the monitor counts and evaluates, the trainer admits, fits and judges,
the registry holds the gates. Only what lies between them is played here: a version takes over `lag` of
event time after the finding that asked for it, and until then its run is in flight.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from rondo.contracts.events.monitoring import DataQualityDegraded, DriftDetected, PerformanceDegraded, WindowClosed
from rondo.contracts.events.training import Trigger
from rondo.flights.dataset.flights import EVENT_TIME
from rondo.monitor.detectors.reference import Reference
from rondo.monitor.model_state import ModelState
from rondo.monitor.ports import ChampionRevision
from rondo.registry.gates.champion_comparison import ComparedChampion
from rondo.registry.gates.gates import evaluate_gates
from rondo.trainer.evaluation.candidate import ChampionModel
from rondo.trainer.evaluation.training_evidence import assemble_evidence
from rondo.trainer.run import History, PastRun
from rondo.trainer.triggers.admission import Start, admit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from rondo.contracts.events.models import GateResult
    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.training_evidence import Evidence
    from rondo.trainer.run import RunState

    from tests.benchmarks.simulation.trainings import Trainings

STEP = timedelta(hours=12)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = {DriftDetected: "drift", PerformanceDegraded: "performance", DataQualityDegraded: "quality"}


def micros(time: datetime) -> int:
    """Return a time as the logs count it: in microseconds since the epoch."""
    return (time - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Run:
    """A training in flight: of the rows known `as_of` the finding that triggered it."""

    trigger: Trigger
    as_of: datetime


@dataclass(frozen=True)
class Version:
    """A version that served, `since` when, and why: `trigger.at` is the end of the window with the finding."""

    number: int
    trigger: Trigger
    as_of: datetime
    since: datetime
    evidence: Evidence


@dataclass
class Year:
    """The result of a year: the versions that served, in order, the results of the gates, and the windows."""

    versions: list[Version] = field(default_factory=list)
    judged: list[tuple[GateResult, ...]] = field(default_factory=list)
    windows: list[WindowClosed] = field(default_factory=list)

    def scores(self, trainings: Trainings, holdout: float | None = None) -> NDArray[np.float32]:
        """Return the score that each streamed flight was served, or would have been by models with another holdout."""
        flights, served = trainings.flights, np.empty(0, np.float32)
        ends = [int(np.searchsorted(flights.departed, micros(each.since))) for each in self.versions[1:]]
        for version, end in zip(self.versions, [*ends, len(flights.departed)], strict=True):
            scores = trainings.scores(trainings.learn(version.as_of, holdout)[1])
            served = np.concatenate([served, scores[len(served) : end]])
        return served


class Simulation:
    """One model, one spec, one lag."""

    def __init__(self, spec: ModelSpec, trainings: Trainings, lag: timedelta) -> None:
        self._spec, self._trainings, self._lag = spec, trainings, lag
        self._state = ModelState(spec.model)
        self._state.apply_spec(spec)
        self._past: list[PastRun] = []
        self._run: Run | None = None
        self._year = Year()

    def play(self) -> Year:
        """Train on what was published, then serve, watch and retrain until the flights end."""
        flights = self._trainings.flights
        known = flights.published[EVENT_TIME][-1]
        self._consider(Trigger(id="published", kind="data", at=known), known)
        self._finish(flights.start)
        now = flights.start
        while micros(now) <= flights.departed[-1]:
            if self._run is not None and self._run.as_of + self._lag <= now:
                self._finish(now)
            self._serve(now, now + STEP)
            now += STEP
            for trigger in self._found():
                self._consider(trigger, now)
        return self._year

    def _serve(self, start: datetime, end: datetime) -> None:
        """Answer the flights of a period; add them and their arrivals to the monitor's state."""
        flights = self._trainings.flights
        first, upto = np.searchsorted(flights.departed, (micros(start), micros(end))).tolist()
        if upto > first:
            scores = pa.array(self._champion_scores[first:upto])
            rows = flights.predictions.slice(first, upto - first).append_column("output.score", scores)
            self._state.count_predictions(rows, self._year.versions[-1].number, self._reference)
        first, upto = np.searchsorted(flights.arrived, (micros(start), micros(end))).tolist()
        if upto > first:
            self._state.add_outcomes(flights.outcomes.slice(first, upto - first), micros(end))

    def _found(self) -> Iterator[Trigger]:
        """Yield the findings of the windows that have closed."""
        if not self._state.due(outcomes_idle=False):
            return
        self._state.settle()
        for each in self._state.close_due_windows(self._spec, self._reference, outcomes_idle=False):
            event = each.event
            if isinstance(event, WindowClosed):
                self._year.windows.append(event)
            elif kind := _KINDS.get(type(event)):
                yield Trigger(id=event.finding_id, kind=kind, at=event.window.end)

    def _consider(self, trigger: Trigger, now: datetime) -> None:
        running = [] if self._run is None else [self._past_run(self._run.trigger, "running")]
        history = History((*running, *reversed(self._past)), ever_trained=bool(self._year.versions))
        if isinstance(admit(trigger, self._spec, history), Start):
            self._run = Run(trigger, now)

    def _finish(self, now: datetime) -> None:
        """End the run in flight: what passes the gates serves from now on."""
        run, self._run = self._run, None
        assert run is not None
        self._past.append(self._past_run(run.trigger, "trained"))
        found, results = self._judge(run.as_of)
        self._year.judged.append(results)
        if all(result.passed for result in results):
            self._promote(Version(len(self._year.versions) + 1, run.trigger, run.as_of, now, found))

    def _past_run(self, trigger: Trigger, state: RunState) -> PastRun:
        return PastRun(trigger.id, trigger, self._spec.digest, state)

    def _judge(self, as_of: datetime) -> tuple[Evidence, tuple[GateResult, ...]]:
        rows, learned = self._trainings.learn(as_of)
        serving = self._year.versions[-1] if self._year.versions else None
        champion = ChampionModel(serving.number, self._trainings.learn(serving.as_of)[1].model) if serving else None
        candidate = self._trainings.pipeline.evaluate(self._spec, learned, champion)
        found = assemble_evidence(self._spec, rows, candidate, "simulated")
        return found, evaluate_gates(found, self._spec.gates, ComparedChampion(serving.number) if serving else None)

    def _promote(self, version: Version) -> None:
        self._year.versions.append(version)
        self._reference = Reference.of(version.evidence.profile)
        self._champion_scores = self._trainings.scores(self._trainings.learn(version.as_of)[1])
        self._state.promote(ChampionRevision(version.number, version.number, version.evidence.training_set_digest))
