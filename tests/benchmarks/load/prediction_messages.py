"""Messages of predictions.log for measuring the monitor: 20 numeric features and a score, and the pipeline over them.

The pipeline is that of the service with a store in memory, so the cost of Kafka and PostgreSQL is not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
from rondo.contracts.events import logs
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import ReferenceProfile
from rondo.monitor.pipeline import MonitorPipeline
from rondo.monitor.ports import ChampionRevision
from rondo.monitor.settings import MonitorTimings
from rondo.trainer.evaluation import reference_blocks, reference_profile

from tests.monitor.fakes import FakeClock, MemoryStore, messages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

MODEL, DIGEST = "measured", f"sha256:{'1' * 64}"
FEATURES = tuple(f"f{number}" for number in range(20))
REFERENCE = 100_000
# Microseconds between rows. The reference has ten days.
_APART = 10 * 86_400 * 1_000_000 // REFERENCE
_BEGIN = 1_700_000_000_000_000
# Seconds of the monitor's clock between steps.
_BETWEEN = 100.0


def rows(count: int, seed: int, shift: float = 0.0) -> dict[str, NDArray[np.float32]]:
    """Return features and a score. The first feature is shifted."""
    rng = np.random.default_rng(seed)
    found = {name: rng.standard_normal(count, np.float32) for name in FEATURES}
    found[FEATURES[0]] += np.float32(shift)
    return found | {"score": rng.random(count, np.float32)}


def profile(columns: Mapping[str, NDArray[np.float32]]) -> ReferenceProfile:
    """Return the profile that the trainer would write for these rows."""
    features = {name: reference_profile.numeric(columns[name]) for name in FEATURES}
    blocks, projections = reference_blocks.of_features(
        features, pl.DataFrame({each: columns[each] for each in FEATURES})
    )
    task = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)
    count = len(columns["score"])
    return ReferenceProfile(
        rows=count, seconds=count * _APART / 1e6, features=features,
        outputs={"score": reference_profile.numeric(columns["score"])}, task=task, performance={},
        feature_blocks=blocks, projections=projections,
    )  # fmt: skip


def message(columns: Mapping[str, NDArray[np.float32]], first: int) -> bytes:
    """Return a message with these rows, the first of which is number `first` of the log."""
    count = len(columns["score"])
    at = pa.array(_BEGIN + _APART * np.arange(first, first + count)).cast(logs.TIMESTAMP)
    found: dict[str, pa.Array] = {
        "id": pa.array(np.arange(first, first + count)).cast(pa.string()), "entity": pa.nulls(count, pa.string()),
        "event_time": at, "made_at": at,
    }  # fmt: skip
    found |= {f"{logs.FEATURE}{name}": pa.array(columns[name]) for name in FEATURES}
    found[f"{logs.OUTPUT}score"] = pa.array(columns["score"])
    table = pa.table(found).replace_schema_metadata(logs.version_metadata(MODEL, 1, DIGEST, "primary"))
    return logs.encode(table.combine_chunks().to_batches()[0])


def cut(columns: Mapping[str, NDArray[np.float32]], size: int, first: int = 0) -> Iterator[bytes]:
    """Yield messages of `size` rows each."""
    for start in range(0, len(columns["score"]), size):
        yield message({name: values[start : start + size] for name, values in columns.items()}, first + start)


@dataclass
class Monitor:
    """The pipeline, and the store that has what it published."""

    pipeline: MonitorPipeline
    store: MemoryStore
    clock: FakeClock
    sent: int = 0

    @classmethod
    async def of(cls, reference: ReferenceProfile) -> Monitor:
        store = MemoryStore()
        features = {name: {"type": "float"} for name in FEATURES}
        data = {"dataset": "d", "entity": "who", "event_time": "at", "label": "late"}
        await store.save_spec(MODEL, 1, ModelSpec.model_validate({"model": MODEL, "data": data, "features": features}))
        await store.save_profile(DIGEST, reference)
        await store.save_champion(MODEL, ChampionRevision(1, 1, DIGEST))
        clock = FakeClock()
        pipeline = MonitorPipeline(store, store, clock, MonitorTimings())
        await pipeline.load()
        pipeline.caught_up()
        return cls(pipeline, store, clock)

    async def take(self, *values: bytes) -> None:
        """Process messages in one step."""
        # There are no outcomes, so windows close without them after the label delay.
        self.clock.now += _BETWEEN
        await self.pipeline.advance(messages(values, first=self.sent))
        self.sent += len(values)

    @property
    def findings(self) -> set[str]:
        """The kinds of the published events."""
        return {type(each.event).__name__ for each in self.store.published}
