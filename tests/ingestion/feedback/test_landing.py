"""The landing of the logs: Delta on disk, a store in memory, and messages by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from rondo.chassis.errors import UnavailableError
from rondo.contracts.events import logs
from rondo.contracts.tasks.binary import BinaryLabels
from rondo.contracts.tasks.multiclass import MULTICLASS
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.feedback.landing import FeedbackLanding
from rondo.ingestion.feedback.recent_predictions import RecentPredictions
from rondo.ingestion.outcomes.parser import parse_outcomes

from tests.ingestion.builders import NOW, outcome, predictions
from tests.support.unknown_words import WORD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.data import OutcomesAccepted
    from rondo.contracts.tasks.base import Labels


@dataclass(frozen=True)
class Sent:
    """A message of a log, like one from a consumer."""

    log: str
    at: int
    content: bytes

    def topic(self) -> str:
        return self.log

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return self.at

    def value(self) -> bytes:
        return self.content


@dataclass
class MemoryLandingStore:
    """A fake of the store. `unavailable` makes the next save fail."""

    saved: dict[tuple[str, int], int] = field(default_factory=dict)
    events: list[tuple[Any, str]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    unavailable: bool = False

    async def positions(self) -> Mapping[tuple[str, int], int]:
        return dict(self.saved)

    async def announced(self) -> Mapping[str, int]:
        return dict(self.versions)

    async def save(
        self,
        positions: Mapping[tuple[str, int], int],
        events: Sequence[tuple[Event, str]],
        announced: Mapping[str, int],
    ) -> None:
        if self.unavailable:
            self.unavailable = False
            raise UnavailableError("PostgreSQL", "gone")
        self.saved |= positions
        self.events += events
        self.versions |= announced


def outcomes(first: int, count: int) -> bytes:
    return observed(BinaryLabels(), *(outcome(n) for n in range(first, first + count)))


def observed(labels: Labels, *values: bytes, model: str = "tips") -> bytes:
    """Return a message of `outcomes.log`."""
    return logs.encode(parse_outcomes(values, {model: labels}, NOW).valid[model].batch(model))


def sent(log: str, at: int, content: bytes) -> Any:
    return Sent(log, at, content)


def read(folder: Path, table: str, model: str = "tips") -> pl.DataFrame:
    return pl.read_delta(str(folder / "feedback" / model / table))


async def test_rows_wait_for_each_other_and_land_in_one_commit(tmp_path: Path) -> None:
    now, store = [0.0], MemoryLandingStore()
    landing = FeedbackLanding(DeltaTables(str(tmp_path)), store, every=1.0, clock=lambda: now[0])
    await landing.load()
    await landing.advance([sent("predictions.log", 0, predictions(0, 5)), sent("outcomes.log", 0, outcomes(3, 4))])
    await landing.advance([sent("predictions.log", 1, predictions(5, 5, version=2))])
    assert store.saved == {}
    now[0] = 1.0
    await landing.advance([])
    assert read(tmp_path, "predictions")["model_version"].to_list() == [1] * 5 + [2] * 5
    assert store.saved == {("predictions.log", 3): 2, ("outcomes.log", 3): 1}
    events: OutcomesAccepted = store.events[0][0]
    assert (events.rows, events.joined, events.data_version.version) == (4, 4, 0)
    assert events.data_version.table == "feedback/tips/outcomes"


async def test_the_role_lands_beside_the_version_and_a_shadow_joins_no_outcome(tmp_path: Path) -> None:
    store = MemoryLandingStore()
    landing = FeedbackLanding(DeltaTables(str(tmp_path)), store, every=0.0)
    await landing.load()
    shadow = predictions(0, 4, version=2, role="shadow")
    await landing.advance([sent("predictions.log", 0, predictions(0, 2)), sent("predictions.log", 1, shadow)])
    await landing.advance([sent("outcomes.log", 0, outcomes(0, 4))])
    roles = read(tmp_path, "predictions").group_by("model_version", "role").len().sort("model_version").rows()
    assert roles == [(1, "primary", 2), (2, "shadow", 4)]
    assert [(event.rows, event.joined) for event, _ in store.events] == [(4, 2)]


async def test_a_role_of_a_newer_release_lands_as_it_is(tmp_path: Path) -> None:
    store = MemoryLandingStore()
    landing = FeedbackLanding(DeltaTables(str(tmp_path)), store, every=0.0)
    await landing.load()
    later = predictions(2, 4, version=2, role=WORD)
    await landing.advance([sent("predictions.log", 0, predictions(0, 2)), sent("predictions.log", 1, later)])
    roles = read(tmp_path, "predictions").group_by("model_version", "role").len().sort("model_version").rows()
    assert roles == [(1, "primary", 2), (2, WORD, 4)]


async def test_a_message_read_again_is_not_landed_again_and_its_event_is_sent(tmp_path: Path) -> None:
    store = MemoryLandingStore()
    messages = [sent("predictions.log", 0, predictions(0, 5)), sent("outcomes.log", 0, outcomes(0, 5))]
    store.unavailable = True
    landing = FeedbackLanding(DeltaTables(str(tmp_path)), store, every=0.0)
    with pytest.raises(UnavailableError):
        await landing.advance(messages)
    assert store.events == []
    after_crash = FeedbackLanding(DeltaTables(str(tmp_path)), store, every=0.0)
    assert await after_crash.load() == {}
    assert [(event.rows, event.data_version.version) for event, _ in store.events] == [(5, 0)]
    await after_crash.advance(messages)
    await after_crash.advance([sent("outcomes.log", 1, outcomes(5, 1))])
    assert read(tmp_path, "predictions").height == 5
    landed = read(tmp_path, "outcomes").select(logs.LOG_OFFSET, logs.LOG_ROW).rows()
    assert sorted(landed) == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0)]
    assert store.versions == {"tips": 1}
    assert store.saved == {("predictions.log", 3): 1, ("outcomes.log", 3): 2}


async def test_new_feature_columns_are_added(tmp_path: Path) -> None:
    landing = FeedbackLanding(DeltaTables(str(tmp_path)), MemoryLandingStore(), every=0.0)
    await landing.load()
    await landing.advance([sent("predictions.log", 0, predictions(0, 2))])
    wind = pa.array(["calm", "storm"])
    await landing.advance([sent("predictions.log", 1, predictions(2, 2, wind=wind))])
    await landing.advance([sent("predictions.log", 2, predictions(4, 2))])
    assert read(tmp_path, "predictions").sort("id")["feature.wind"].to_list() == [
        None,
        None,
        "calm",
        "storm",
        None,
        None,
    ]


async def test_a_feature_that_changes_its_type_becomes_text_and_loses_nothing(tmp_path: Path) -> None:
    landing = FeedbackLanding(DeltaTables(str(tmp_path)), MemoryLandingStore(), every=0.0)
    await landing.load()
    await landing.advance([sent("predictions.log", 0, predictions(0, 1, wind=pa.array([2.5], pa.float32())))])
    mixed = [
        sent("predictions.log", 1, predictions(1, 1, wind=pa.array(["calm"]))),
        sent("predictions.log", 2, predictions(2, 1, wind=pa.array([3.5], pa.float32()))),
    ]
    await landing.advance(mixed)
    assert read(tmp_path, "predictions").sort("id")["feature.wind"].to_list() == ["2.5", "calm", "3.5"]
    await landing.advance([sent("predictions.log", 3, predictions(3, 1, wind=pa.array([4.5], pa.float32())))])
    assert read(tmp_path, "predictions").sort("id")["feature.wind"].to_list() == ["2.5", "calm", "3.5", "4.5"]
    reopened = DeltaTables(str(tmp_path))
    assert reopened.transaction_version("feedback/tips/predictions", "predictions.log-3") == 4


async def test_the_outputs_of_every_task_land_in_one_table(tmp_path: Path) -> None:
    landing = FeedbackLanding(DeltaTables(str(tmp_path)), MemoryLandingStore(), every=0.0)
    await landing.load()
    await landing.advance([sent("predictions.log", 0, predictions(0, 1, wind=pa.array([2.5], pa.float32())))])
    messages = []
    for at, probabilities in enumerate(([0.25, 0.75], [0.5, 0.25, 0.25]), 1):
        # Another writer names the values of a list as Parquet does.
        kind = pa.list_(pa.field("element", pa.float32())) if at == 1 else pa.list_(pa.float32())
        outputs = {
            "output.label": pa.array(["Öl"]),
            "output.score": pa.array([max(probabilities)], pa.float32()),
            "output.probabilities": pa.array([probabilities], kind),
        }
        message = predictions(at, 1, version=2, outputs=outputs, wind=pa.array(["calm"]))
        messages.append(sent("predictions.log", at, message))
    await landing.advance(messages)
    interval = {f"output.{name}": pa.array([1.5], pa.float32()) for name in ("value", "low", "high")}
    await landing.advance([sent("predictions.log", 3, predictions(3, 1, outputs=interval))])
    landed = read(tmp_path, "predictions").sort("id")
    assert landed["output.probabilities"].to_list() == [None, [0.25, 0.75], [0.5, 0.25, 0.25], None]
    assert landed.select("output.label", "output.score", "output.high").rows() == [
        (None, 0.5, None), ("Öl", 0.75, None), ("Öl", 0.5, None), (None, None, 1.5),
    ]  # fmt: skip


async def test_outcomes_of_another_task_land_beside_those_before(tmp_path: Path) -> None:
    landing = FeedbackLanding(DeltaTables(str(tmp_path)), MemoryLandingStore(), every=0.0)
    await landing.load()
    classes = observed(MULTICLASS.labels(None, None), outcome(1, outcome="oak"), outcome(2, outcome=2))
    await landing.advance([sent("outcomes.log", 0, outcomes(0, 1)), sent("outcomes.log", 1, classes)])
    await landing.advance([sent("outcomes.log", 2, outcomes(3, 1))])
    landed = read(tmp_path, "outcomes").sort("id").select("outcome", "outcome_label")
    assert landed.rows() == [(0.0, None), (None, "oak"), (None, "2"), (1.0, None)]


async def test_a_message_that_is_not_arrow_is_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    landing = FeedbackLanding(DeltaTables(str(tmp_path)), MemoryLandingStore(), every=0.0)
    await landing.load()
    nameless = logs.encode(pa.RecordBatch.from_pydict({"id": ["x"]}))
    await landing.advance(
        [sent("outcomes.log", 0, b"x"), sent("outcomes.log", 1, nameless), sent("outcomes.log", 2, outcomes(0, 2))]
    )
    assert read(tmp_path, "outcomes").height == 2
    assert [record.message.split(" is skipped")[0] for record in caplog.records] == [
        "offset 0 of outcomes.log-3", "offset 1 of outcomes.log-3",
    ]  # fmt: skip


@pytest.mark.medium
def test_the_digest_is_the_same_after_reopening_and_compaction(tmp_path: Path) -> None:
    rows = pa.table({"a": [1]})
    one, two = DeltaTables(str(tmp_path / "one"), compact_every=3), DeltaTables(str(tmp_path / "two"))
    for position in range(8):
        one.append("t", rows, {"x": position}, {})
        two.append("t", rows, {"x": position}, {})
        two = DeltaTables(str(tmp_path / "two"))
    first, second = one.current("t"), two.current("t")
    assert first is not None
    assert second is not None
    assert first.digest == second.digest
    assert len(list((tmp_path / "two" / "t").glob("*.parquet"))) == 8
    assert pl.read_delta(str(tmp_path / "one" / "t")).height == 8
    assert DeltaTables(str(tmp_path / "one")).transaction_version("t", "x") == 7


def test_recent_predictions_evict_the_oldest() -> None:
    recent = RecentPredictions(limit=4)
    for first in range(0, 20, 2):
        recent.add("tips", [f"p{first}", f"p{first + 1}"], [None, "r"])
    assert recent.count_joined("tips", ["p0", "p19", None, None], [None, None, "r", "s"]) == 2
    assert recent.count_joined("other", ["p19"], [None]) == 0
