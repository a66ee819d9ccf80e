"""The comparison of accepted batches: real tables, and a store in memory."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.contracts.events.data import BatchAccepted, DataVersion, RowCounts, SkewMeasured
from rondo.contracts.vocabularies import Source
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.skew import comparison
from rondo.ingestion.skew.comparer import Comparer
from rondo.ingestion.spec_cache import SpecCache

from tests.ingestion.builders import START, rides, spec
from tests.ingestion.delta.damages import DAMAGES, log_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from rondo.contracts.events.base import Event
    from rondo.contracts.spec.model import ModelSpec

DIGEST = "sha256:" + "0" * 64


def batch(batch_id: str = "january", dataset: str = "rides") -> BatchAccepted:
    return BatchAccepted(
        dataset=dataset,
        batch_id=batch_id,
        source=Source.HTTP,
        data_version=DataVersion(table=f"datasets/{dataset}", version=0, digest=DIGEST),
        rows=RowCounts(total=10, accepted=10, quarantined=0),
        report=DIGEST,
        event_time_from=START,
        event_time_to=START + timedelta(hours=1),
    )


@dataclass
class MemoryComparisons:
    """A fake of the store."""

    waiting: list[BatchAccepted] = field(default_factory=list)
    events: list[tuple[Event, str]] = field(default_factory=list)

    @asynccontextmanager
    async def next_batch(self) -> AsyncIterator[Held | None]:
        yield Held(self, self.waiting[0]) if self.waiting else None


@dataclass(frozen=True)
class Held:
    """A batch of `MemoryComparisons`."""

    store: MemoryComparisons
    batch: BatchAccepted

    async def done(self, events: Sequence[tuple[Event, str]]) -> None:
        self.store.waiting.remove(self.batch)
        self.store.events += events


def publish(tables: DeltaTables, rows: pl.DataFrame, batch_id: str = "january", dataset: str = "rides") -> None:
    tables.append(f"datasets/{dataset}", rows.with_columns(batch_id=pl.lit(batch_id)), {}, {})


def serve(tables: DeltaTables, rows: pl.DataFrame, model: str = "tips") -> None:
    names = ("distance", "stops", "night", "rain")
    features = {f"feature.{name}": rows[name].cast(pl.Float32) for name in names}
    tables.append(
        f"feedback/{model}/predictions",
        pl.DataFrame(
            {"entity": rows["ride"], "event_time": rows["started"], "made_at": rows["started"],
             "feature.zone": rows["zone"], **features}
        ).with_columns(role=pl.lit("primary")),
        {}, {},
    )  # fmt: skip


@pytest.mark.medium
async def test_a_batch_is_compared_once_for_each_model_of_its_dataset(tmp_path: Path) -> None:
    tables, store = DeltaTables(str(tmp_path)), MemoryComparisons([batch()])
    publish(tables, rides(6))
    publish(tables, rides(10), "february")
    serve(tables, rides(8, distance=[n + 0.5 for n in range(8)]))
    serve(tables, rides(3), "fares")
    comparer = Comparer(tables, store, SpecCache([spec(), spec("fares"), spec("other", "boats"), spec("silent")]))
    await comparer.tick()
    events = [event for event, _ in store.events if isinstance(event, SkewMeasured)]
    measured = [(each.model, each.batch_id, each.joined) for each in events]
    assert measured == [("fares", "january", 3), ("tips", "january", 6)]
    assert events[0].features == ()
    assert [(each.feature, each.differing) for each in events[1].features] == [("distance", 6)]
    assert len({event_id for _, event_id in store.events}) == 2
    assert store.waiting == []


async def test_a_column_of_another_type_hinders_no_other_batch(tmp_path: Path) -> None:
    tables, store = DeltaTables(str(tmp_path)), MemoryComparisons([batch(), batch(dataset="boats")])
    publish(tables, rides(5, distance=["far"] * 5))
    publish(tables, rides(5), dataset="boats")
    for model in ("tips", "sails"):
        serve(tables, rides(5), model)
    await Comparer(tables, store, SpecCache([spec(), spec("sails", "boats")])).tick()
    assert [event.key for event, _ in store.events] == ["sails"]
    assert store.waiting == []


async def test_a_damaged_file_hinders_no_other_batch(tmp_path: Path) -> None:
    tables, store = DeltaTables(str(tmp_path)), MemoryComparisons([batch(), batch(dataset="boats")])
    for dataset in ("rides", "boats"):
        publish(tables, rides(5), dataset=dataset)
    for model in ("tips", "sails"):
        serve(tables, rides(5), model)
    [file] = (tmp_path / "feedback/tips/predictions").rglob("*.parquet")
    file.write_bytes(bytes(file.stat().st_size))
    await Comparer(tables, store, SpecCache([spec(), spec("sails", "boats")])).tick()
    assert [event.key for event, _ in store.events] == ["sails"]
    assert store.waiting == []


async def test_a_batch_without_a_table_waits_no_longer(tmp_path: Path) -> None:
    store = MemoryComparisons([batch()])
    await Comparer(DeltaTables(str(tmp_path)), store, SpecCache([spec()])).tick()
    assert (store.waiting, store.events) == ([], [])


@pytest.mark.sampled(4)
@pytest.mark.medium
@pytest.mark.parametrize("table", ["datasets/rides", "feedback/tips/predictions"])
@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("of_log", [True, False], ids=["log", "rows"])
async def test_a_damaged_table_hinders_no_other_batch(tmp_path: Path, how: str, table: str, of_log: bool) -> None:  # noqa: FBT001
    tables, store = DeltaTables(str(tmp_path)), MemoryComparisons([batch(), batch(dataset="boats")])
    for dataset in ("rides", "boats"):
        publish(tables, rides(5), dataset=dataset)
    for model in ("tips", "sails"):
        serve(tables, rides(5), model)
    [file] = log_of(tmp_path / table) if of_log else (tmp_path / table).glob("*.parquet")
    DAMAGES[how](file)
    await Comparer(DeltaTables(str(tmp_path)), store, SpecCache([spec(), spec("sails", "boats")])).tick()
    assert [event.key for event, _ in store.events] == ["sails"]
    assert store.waiting == []


async def test_an_unexpected_error_hinders_no_other_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables, store = DeltaTables(str(tmp_path)), MemoryComparisons([batch(), batch(dataset="boats")])
    for dataset in ("rides", "boats"):
        publish(tables, rides(5), dataset=dataset)
    for model in ("tips", "sails"):
        serve(tables, rides(5), model)
    compare = comparison.compare

    def failing(spec: ModelSpec, *rest: Any) -> Any:
        if spec.model == "tips":
            raise pl.exceptions.PanicException("index out of bounds")
        return compare(spec, *rest)

    monkeypatch.setattr(comparison, "compare", failing)
    await Comparer(tables, store, SpecCache([spec(), spec("sails", "boats")])).tick()
    assert [event.key for event, _ in store.events] == ["sails"]
    assert store.waiting == []
