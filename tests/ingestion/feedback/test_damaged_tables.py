"""A damaged table of feedback: the others land, and its rows land once it is restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.contracts.tasks.binary import BinaryLabels
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.feedback.held_rows import TableRestoredError
from rondo.ingestion.feedback.landing import FeedbackLanding

from tests.ingestion.builders import outcome, predictions
from tests.ingestion.delta.damages import DAMAGES, damaged, log_of
from tests.ingestion.feedback.test_landing import MemoryLandingStore, observed, read, sent

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


def outcomes_of(model: str, first: int, count: int) -> bytes:
    values = (outcome(n, model) for n in range(first, first + count))
    return observed(BinaryLabels(), *values, model=model)


def messages(at: int) -> list[Any]:
    """Return a message of each log for each of two models."""
    found = []
    for place, model in enumerate(("tips", "fares"), 2 * at):
        found.append(sent("predictions.log", place, predictions(2 * at, 2, model)))
        found.append(sent("outcomes.log", place, outcomes_of(model, 2 * at, 2)))
    return found


def heights(root: Path) -> list[int]:
    pairs = [(model, table) for model in ("tips", "fares") for table in ("predictions", "outcomes")]
    return [read(root, table, model).height for model, table in pairs]


@pytest.mark.sampled(2)
@pytest.mark.medium
@pytest.mark.parametrize("table", ["predictions", "outcomes"])
@pytest.mark.parametrize("how", [each for each in DAMAGES if each != "missing"])
async def test_a_damaged_table_keeps_no_other_from_landing_and_loses_no_row(
    tmp_path: Path, how: str, table: str
) -> None:
    now, store = [0.0], MemoryLandingStore()
    before = FeedbackLanding(DeltaTables(str(tmp_path)), store, every=0.0)
    await before.load()
    await before.advance(messages(0))
    saved, after = dict(store.saved), FeedbackLanding(DeltaTables(str(tmp_path)), store, 0.0, clock=lambda: now[0])
    with damaged(log_of(tmp_path / f"feedback/tips/{table}")[-1], how):
        assert await after.load() == saved
        await after.advance(messages(1))
        await after.advance(messages(2))
        assert read(tmp_path, table, "fares").height == 6
        # Only the log of the damaged table is read again.
        held = f"{table}.log"
        assert {log: end for (log, _), end in store.saved.items()} == {
            log: 2 if log == held else 6 for log in ("predictions.log", "outcomes.log")
        }
        now[0] += 100.0
        await after.advance([])
    now[0] += 100.0
    with pytest.raises(TableRestoredError):
        await after.advance([])
    await after.load()
    await after.advance([each for at in (1, 2) for each in messages(at) if each.offset() >= store.saved[each.log, 3]])
    assert heights(tmp_path) == [6, 6, 6, 6]
    assert set(store.saved.values()) == {6}
    assert sum(event.rows for event, _ in store.events) == 12


@pytest.mark.medium
async def test_a_table_that_is_damaged_while_it_is_open_is_found_at_its_next_error(tmp_path: Path) -> None:
    store, tables = MemoryLandingStore(), DeltaTables(str(tmp_path))
    landing = FeedbackLanding(tables, store, every=0.0)
    await landing.load()
    await landing.advance(messages(0))
    with damaged(log_of(tmp_path / "feedback/tips/outcomes")[-1], "cut"):
        tables._open.clear()
        await landing.advance(messages(1))
        assert store.saved == {("predictions.log", 3): 4, ("outcomes.log", 3): 2}
    await landing.load()
    await landing.advance(messages(1))
    assert heights(tmp_path) == [4, 4, 4, 4]
