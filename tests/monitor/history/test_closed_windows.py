"""Closed windows are kept with their evidence, in the transaction that publishes them, and read in pages."""

from __future__ import annotations

from datetime import timedelta
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.chassis.postgres import pool
from rondo.chassis.settings import PostgresSettings
from rondo.contracts.events.monitoring import Statistic
from rondo.monitor.alerts import findings
from rondo.monitor.alerts.findings import Subject
from rondo.monitor.errors import FencedError, UnknownWindowError
from rondo.monitor.history.closed_window import ClosedWindow, ColumnEvidence, KeptWindow, WindowBins, WindowQuery
from rondo.monitor.history.postgres_windows import WindowLog, save_window
from rondo.monitor.ports import Checkpoint
from rondo.monitor.state.postgres_control_plane import PostgresWork
from rondo.monitor.state.postgres_state import PostgresStore, saved_count

from tests.monitor.builders import DIGEST, EPOCH, MODEL, PROFILE
from tests.monitor.report.story import story
from tests.support.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rondo.chassis.postgres.pool import Database


def window(day: int, rows: int = 10, version: int = 1) -> ClosedWindow:
    return ClosedWindow(
        start=EPOCH + timedelta(days=day),
        end=EPOCH + timedelta(days=day + 1),
        rows=rows,
        model_version=version,
        labelled_rows=rows,
        statistics=(Statistic(feature="x", statistic="psi", value=float("inf")),),
        evidence=(ColumnEvidence(group="inputs", column="x", evidence=1.5, threshold=3.4),),
        evidence_until={"inputs": EPOCH},
    )


@pytest.fixture
async def opened(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    environment = {
        "RONDO_SERVICE": "monitor", "RONDO_KAFKA": "unused:1", "RONDO_HTTP_PORT": "0",
        "RONDO_POSTGRES": await database("monitor"),
    }  # fmt: skip
    async with pool.connect(load(PostgresSettings, environment), files("rondo.monitor") / "migrations") as found:
        yield found


async def save(opened: Database, *windows: ClosedWindow, model: str = MODEL, kept: int = 1_000) -> None:
    async with opened.transaction() as transaction:
        for each in windows:
            await save_window(transaction.connection, model, each, kept=kept)


@pytest.mark.medium
def test_a_closed_window_has_the_evidence_so_far() -> None:
    windows = {(each.start - EPOCH).days: each for each in story().windows}
    assert sorted(windows) == list(range(9))
    first, last = ({(each.group, each.column): each for each in windows[day].evidence} for day in (0, 8))
    assert first.keys() == {("inputs", "x"), ("inputs", "city"), ("outputs", "output.score"), ("loss", None)}
    for changed in (("inputs", "x"), ("loss", None)):
        assert first[changed].evidence < first[changed].threshold == last[changed].threshold < last[changed].evidence
    for day, each in windows.items():
        assert each.evidence_until["loss"] == each.end
        assert each.end <= each.evidence_until["inputs"] <= EPOCH + timedelta(days=day + 2)
    assert {each.labelled_rows for each in windows.values()} == {1_000}
    assert {"roc_auc", "psi"} <= {each.statistic for each in windows[0].statistics}


async def test_pages_have_the_newest_first(opened: Database) -> None:
    await save(opened, *(window(day) for day in range(5)))
    await save(opened, window(9), model="another")
    log = WindowLog(opened)
    first = await log.page(MODEL, WindowQuery(2))
    second = await log.page(MODEL, WindowQuery(2, first.next))
    third = await log.page(MODEL, WindowQuery(2, second.next))
    assert [*first.windows, *second.windows, *third.windows] == [window(day) for day in (4, 3, 2, 1, 0)]
    assert (first.next is None, second.next is None, third.next) == (False, False, None)
    assert (await log.page(MODEL, WindowQuery(5))).next is None
    assert (await log.page("nothing", WindowQuery(5))).windows == ()


async def test_a_page_has_the_windows_that_begin_in_a_time(opened: Database) -> None:
    await save(opened, *(window(day) for day in range(5)))
    log, day = WindowLog(opened), timedelta(days=1)
    for since, until, days in ((1, 3, [2, 1]), (3, None, [4, 3]), (None, 1, [0]), (5, None, []), (2, 2, [])):
        between = [None if each is None else EPOCH + each * day for each in (since, until)]
        found = await log.page(MODEL, WindowQuery(9, None, *between))
        assert [each.start for each in found.windows] == [EPOCH + each * day for each in days]
    first = await log.page(MODEL, WindowQuery(2, since=EPOCH + day))
    second = await log.page(MODEL, WindowQuery(2, first.next, since=EPOCH + day))
    assert ([each.start for each in second.windows], second.next) == ([EPOCH + 2 * day, EPOCH + day], None)


async def test_the_oldest_windows_are_discarded(opened: Database) -> None:
    await save(opened, window(0), model="another", kept=3)
    await save(opened, *(window(day) for day in range(5)), kept=3)
    assert [each.start.day for each in (await WindowLog(opened).page(MODEL, WindowQuery(9))).windows] == [5, 4, 3]
    assert len((await WindowLog(opened).page("another", WindowQuery(9))).windows) == 1


async def test_a_window_that_closes_again_is_replaced(opened: Database) -> None:
    await save(opened, window(0), window(0, rows=20), window(0, version=2))
    found = (await WindowLog(opened).page(MODEL, WindowQuery(9))).windows
    assert [(each.model_version, each.rows) for each in found] == [(2, 10), (1, 20)]


async def test_a_window_is_read_with_its_bins_and_the_profile_that_has_them(opened: Database) -> None:
    bins, log = WindowBins.of(DIGEST, np.arange(40, dtype=np.int64)), WindowLog(opened)
    async with opened.transaction() as transaction:
        await save_window(transaction.connection, MODEL, window(0), bins)
        await save_window(transaction.connection, MODEL, window(1))
    assert await log.one(MODEL, 1, EPOCH) == KeptWindow(window(0), bins)
    async with opened.transaction() as transaction:
        await PostgresWork(transaction).save_profile(DIGEST, PROFILE)
    found = await log.one(MODEL, 1, EPOCH)
    assert found == KeptWindow(window(0), bins, PROFILE)
    assert found.bins is not None
    assert found.bins.counts().tolist() == list(range(40))
    assert await log.one(MODEL, 1, EPOCH + timedelta(days=1)) == KeptWindow(window(1)), "of an earlier release"
    with pytest.raises(UnknownWindowError) as unknown:
        await log.one(MODEL, 1, EPOCH + timedelta(days=9))
    assert unknown.value.nearest == EPOCH + timedelta(days=1)
    with pytest.raises(UnknownWindowError) as unknown:
        await log.one(MODEL, 2, EPOCH)
    assert unknown.value.nearest is None
    await save(opened, window(0, rows=20))
    assert await log.one(MODEL, 1, EPOCH) == KeptWindow(window(0, rows=20)), "the bins are those of the same rows"


async def test_a_window_is_kept_with_the_event_that_announces_it(opened: Database) -> None:
    bins = WindowBins.of(DIGEST, np.ones(3, np.int64))
    closed = findings.closed(Subject(MODEL, 1, 0.01, 10), window(0), bins)
    store, log = PostgresStore(opened), WindowLog(opened)
    await saved_count(opened, 1)
    with pytest.raises(FencedError):
        await store.save(Checkpoint(7, {}, {}), [closed])
    assert (await log.page(MODEL, WindowQuery(9))).windows == ()
    await store.save(Checkpoint(0, {}, {}), [closed])
    assert (await log.page(MODEL, WindowQuery(9))).windows == (window(0),)
    assert (await log.one(MODEL, 1, EPOCH)).bins == bins
    assert await opened.pool.fetchval("select count(*) from outbox") == 1
