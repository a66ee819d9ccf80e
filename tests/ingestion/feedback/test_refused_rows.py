"""A table refuses rows: the others land, its rows stay in Kafka, and the waits before new attempts increase."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pytest
from prometheus_client import REGISTRY
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.feedback.held_rows import TableTriedAgainError
from rondo.ingestion.feedback.landing import FeedbackLanding

from tests.ingestion.builders import predictions
from tests.ingestion.feedback.test_landing import MemoryLandingStore, read, sent

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

TABLE = "feedback/tips/predictions"


def prediction(at: int, model: str, feature: str) -> Any:
    values = {feature: pa.array([float(at)], pa.float32())}
    return sent("predictions.log", at, predictions(at, 1, model, **values))


def messages(first: int, feature: str) -> list[Any]:
    """Return a message of each of two models. Delta-rs refuses two columns whose names differ only in case."""
    return [prediction(first, "tips", feature), prediction(first + 1, "fares", "Temp")]


def refusing() -> float | None:
    return REGISTRY.get_sample_value("rondo_ingestion_refusing_table", {"table": TABLE})


def ids(root: Path, model: str) -> list[str]:
    return sorted(read(root, "predictions", model)["id"])


@pytest.mark.medium
async def test_rows_that_a_table_refuses_keep_no_other_from_landing_and_are_not_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now, store = [0.0], MemoryLandingStore()
    landing = FeedbackLanding(DeltaTables(str(tmp_path)), store, every=0.0, clock=lambda: now[0])
    logged = [*messages(0, "Temp"), *messages(2, "temp"), *messages(4, "Temp")]
    await landing.load()
    for first in (0, 2, 4):
        await landing.advance(logged[first : first + 2])
    assert (ids(tmp_path, "tips"), ids(tmp_path, "fares")) == (["p0"], ["p1", "p3", "p5"])
    assert (store.saved, refusing()) == ({("predictions.log", 3): 2}, 1.0)
    [record] = [each for each in caplog.records if each.levelname == "ERROR"]
    assert record.message == (
        f"the table {TABLE} refuses rows (Exception: External error: Schema error: Duplicate field name "
        "(case-insensitive): 'feature.temp'): they stay in Kafka, follow docs/runbooks/refused-rows.md; other "
        "tables are not affected"
    )
    for wait in (30.0, 60.0):
        now[0] += wait - 1.0
        await landing.advance([])
        now[0] += 1.0
        with pytest.raises(TableTriedAgainError):
            await landing.advance([])
        assert await landing.load() == {("predictions.log", 3): 2}
        await landing.advance(logged[2:])
        assert ids(tmp_path, "fares") == ["p1", "p3", "p5"]
    (tmp_path / TABLE).rename(tmp_path / "moved")
    now[0] += 120.0
    with pytest.raises(TableTriedAgainError):
        await landing.advance([])
    await landing.load()
    # What refuses its rows when they are in one commit takes them no more in another one.
    await landing.advance(logged[2:4])
    assert (ids(tmp_path, "tips"), ids(tmp_path, "fares")) == (["p2"], ["p1", "p3", "p5"])
    assert (store.saved, refusing()) == ({("predictions.log", 3): 4}, None)
    assert pl.read_delta(str(tmp_path / "moved"))["id"].to_list() == ["p0"]
