"""A user's detector takes part in the alarm: from rows to events, through a real process, a restart and a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DriftDetected
from rondo.contracts.vocabularies import AlertKind
from rondo.monitor.pipeline import TOPICS, MonitorPipeline
from rondo.monitor.settings import MonitorTimings
from rondo.monitor.status.model_status import model_status
from rondo.monitor.user_detectors.process_runtime import DetectorProcess

from tests.monitor.builders import EPOCH, MODEL, REFERENCE, encode_outcomes, encode_predictions, instants, outcomes
from tests.monitor.builders import predictions as prediction_rows
from tests.monitor.builders import spec as spec_of
from tests.monitor.fakes import FakeClock, MemoryStore, messages
from tests.monitor.pipeline.stores import filled_store
from tests.monitor.streams import BINARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rondo.contracts.events.base import Event

# The detectors run in a process.
pytestmark = [pytest.mark.process, pytest.mark.medium]

ALTERNATING = "own:Alternating"
# Level and spread of x stay as they are, so that only this detector sees the change.
CODE = """
import numpy as np

class Alternating:
    def detect(self, column):
        if column.name == "x":
            return float(column.observed[0:10:2].sum() / column.observed.sum())

class Fails:
    def detect(self, column):
        raise RuntimeError("s0me mistake")
"""
LOG_BEGIN = EPOCH
DAYS, CHANGE, A_DAY = 44, 30, 500


def rows_of(day: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the rows of a day. From `CHANGE` on, values in every other bin are moved to the next bin."""
    data = BINARY.rows(rng, A_DAY)
    (column,) = (each for each in REFERENCE.binning.columns if each.name == "x")
    assert column.edges is not None
    if day >= CHANGE:
        middle = np.append(column.edges, column.edges[-1] + 1) - np.float32(0.01)
        bins = np.minimum(column.bins_of(data["x"]), 9)
        up, down = (
            (bins % 4 == 0) & (rng.random(A_DAY) < 0.5),
            (bins % 4 == 2) & (bins < 10) & (rng.random(A_DAY) < 0.5),
        )
        data["x"] = np.where(up, middle[np.minimum(bins + 1, 9)], data["x"])
        data["x"] = np.where(down, middle[np.maximum(bins - 1, 0)], data["x"]).astype(np.float32)
    return data


def log() -> tuple[list[bytes], list[bytes]]:
    rng, predicted, known = np.random.default_rng(7), [], []
    for day in range(DAYS):
        data, at, ids = rows_of(day, rng), instants(day, A_DAY), [f"{day}-{at}" for at in range(A_DAY)]
        predicted.append(encode_predictions(prediction_rows(data, at, ids)))
        known.append(encode_outcomes(outcomes(list(ids), BINARY.outcomes(rng, data), at + np.timedelta64(1, "h"))))
    return predicted, known


LOG = log()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DetectorProcess]:
    folder: Path = tmp_path_factory.mktemp("detectors")
    (folder / "own.py").write_text(CODE)
    found = DetectorProcess(str(folder), 5.0)
    yield found
    found.close()


async def run(own: DetectorProcess, *detectors: str) -> tuple[MemoryStore, MonitorPipeline]:
    """Read the whole log at once."""
    store = await filled_store()
    store.specs[MODEL] = (2, spec_of(alarm_detectors=list(detectors)))
    pipeline = MonitorPipeline(store, store, FakeClock(), MonitorTimings(), own)
    await pipeline.load()
    await pipeline.advance(messages(*LOG))
    await pipeline.advance([])
    return store, pipeline


def events(store: MemoryStore) -> list[Event]:
    return [each.event for each in store.published]


async def test_a_change_that_only_the_detector_sees_is_a_finding_and_an_alert_of_its_own(own: DetectorProcess) -> None:
    store, pipeline = await run(own, ALTERNATING)
    finding = next(each for each in events(store) if isinstance(each, DriftDetected))
    (figure,) = finding.statistics
    assert (figure.feature, figure.statistic, figure.category) == ("x", "Alternating", None)
    assert figure.e_value is not None
    assert figure.e_threshold is not None
    assert figure.e_value >= figure.e_threshold
    assert finding.since_latest is not None
    assert CHANGE - 2 <= (finding.since_latest - LOG_BEGIN).days <= CHANGE + 4
    (alert,) = (each for each in events(store) if isinstance(each, AlertRaised))
    assert (alert.kind, alert.alert_id) == (AlertKind.DETECTORS, finding.finding_id)
    state = pipeline.models[MODEL]
    assert state.spec is not None
    status = model_status(state, state.spec, REFERENCE)
    assert status.verdict.state == "changed"
    assert ALTERNATING in status.verdict.sentence
    (changed,) = (each for each in status.columns if each.changed)
    assert (changed.group, changed.column, changed.value) == ("detectors", "x", ALTERNATING)


async def test_without_the_detector_the_change_is_not_evident(own: DetectorProcess) -> None:
    store, _ = await run(own)
    assert not [each for each in events(store) if isinstance(each, DriftDetected | AlertRaised)]


async def test_a_detector_that_fails_is_an_alert_and_the_others_go_on(own: DetectorProcess) -> None:
    store, pipeline = await run(own, "own:Fails", ALTERNATING)
    raised = {each.kind: each for each in events(store) if isinstance(each, AlertRaised)}
    assert set(raised) == {AlertKind.NO_DETECTOR_VERDICT, AlertKind.DETECTORS}
    assert "s0me mistake" in raised[AlertKind.NO_DETECTOR_VERDICT].detail
    state = pipeline.models[MODEL]
    ended = state.apply_spec(spec_of())
    resolved = {each.event.alert_id for each in ended if isinstance(each.event, AlertResolved)}
    assert resolved == {each.alert_id for each in raised.values()}
    assert state.open_alerts == {}


async def test_the_events_do_not_depend_on_how_the_rows_arrive_and_a_restart_changes_nothing(
    own: DetectorProcess,
) -> None:
    whole, _ = await run(own, ALTERNATING)
    store = await filled_store()
    store.specs[MODEL] = (2, spec_of(alarm_detectors=[ALTERNATING]))
    days = 0
    while days < DAYS:
        pipeline = MonitorPipeline(store, store, FakeClock(), MonitorTimings(), own)
        # What was read after the last checkpoint is read again.
        positions = dict(await pipeline.load())
        first, days = min((positions.get((topic, 0), 0) for topic in TOPICS), default=0), min(days + 7, DAYS)
        for day in range(first, days):
            part = messages([LOG[0][day]], [LOG[1][day]], first=day)
            await pipeline.advance([each for each in part if each.offset() >= positions.get((each.topic(), 0), 0)])
        await pipeline.advance([])

    def found(store: MemoryStore) -> list[Event]:
        return [each for each in events(store) if isinstance(each, DriftDetected | AlertRaised)]

    assert found(store) == found(whole)
