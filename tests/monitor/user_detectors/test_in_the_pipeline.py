"""Users' detectors in the pipeline: their figures in the events of windows, and an alert while one fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, WindowClosed
from rondo.monitor.pipeline import MonitorPipeline
from rondo.monitor.settings import MonitorTimings
from rondo.monitor.user_detectors.process_runtime import DetectorProcess
from rondo.monitor.user_detectors.user_figures import UserFigures

from tests.monitor.builders import MODEL, SPEC
from tests.monitor.fakes import FakeClock, MemoryStore, messages
from tests.monitor.pipeline.stores import KNOWN, PREDICTED, filled_store, published, uninterrupted

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.events.base import Event
    from rondo.monitor import ports

CODE = """
class Rows:
    def detect(self, column):
        return float(column.observed.sum())
"""


class FailsAtFirst:
    """Has no figures of the first two windows."""

    def __init__(self) -> None:
        self.calls = 0

    def figures(self, *_: object) -> UserFigures:
        self.calls += 1
        return UserFigures(failures=("own:Rows: a mistake",) if self.calls <= 2 else ())


async def run(own: ports.UserDetectors | None, detector: str = "own:Rows") -> tuple[MemoryStore, list[Event]]:
    store = await filled_store()
    monitor = SPEC.monitor.model_copy(update={"detectors": ("psi", detector)})
    store.specs[MODEL] = (2, SPEC.model_copy(update={"monitor": monitor}))
    pipeline = MonitorPipeline(store, store, FakeClock(), MonitorTimings(), own)
    await pipeline.load()
    await pipeline.advance(messages(PREDICTED, KNOWN))
    return store, [each.event for each in store.published]


async def test_the_figures_are_in_the_events_of_the_windows(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(CODE)
    own = DetectorProcess(str(tmp_path), 5.0)
    try:
        _, events = await run(own)
    finally:
        own.close()
    windows = [each for each in events if isinstance(each, WindowClosed)]
    assert windows
    for each in windows:
        rows = {found.value for found in each.statistics if found.statistic == "Rows"}
        assert rows == {float(each.window.rows)}
    assert not any(isinstance(each, AlertRaised) and each.kind == "detector_failed" for each in events)


async def test_a_failure_is_one_alert_until_the_figures_are_there_again() -> None:
    own = FailsAtFirst()
    _, events = await run(own)
    (raised,) = (each for each in events if isinstance(each, AlertRaised) and each.kind == "detector_failed")
    assert "own:Rows: a mistake" in raised.detail
    ends = [each.alert_id for each in events if isinstance(each, AlertResolved)]
    assert ends.count(raised.alert_id) == 1
    closed = [each for each in events if isinstance(each, WindowClosed)]
    assert (own.calls, raised.raised_at) == (len(closed), closed[0].window.end)


async def test_user_detectors_change_nothing_else() -> None:
    store, _ = await run(FailsAtFirst())

    def decided(events: dict[str, Event]) -> dict[str, Event]:
        return {
            name: event
            for name, event in events.items()
            if not isinstance(event, WindowClosed)
            and not (isinstance(event, AlertRaised) and event.kind == "detector_failed")
            and not (isinstance(event, AlertResolved) and "detector" in event.detail)
        }

    assert decided(published(store)) == decided(await uninterrupted())
