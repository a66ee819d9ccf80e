"""Repeated requests, from the log to the alert, the window's event and the status."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, WindowClosed
from rondo.contracts.training_evidence import RepeatedRows
from rondo.monitor.ports import ChampionRevision

from tests.monitor.builders import (
    DIGEST,
    DIGEST_2,
    EPOCH,
    MODEL,
    encode_outcomes,
    encode_predictions,
    outcomes,
    predictions,
)
from tests.monitor.fakes import FakeClock, MemoryStore, messages
from tests.monitor.pipeline.stores import filled_store, new_pipeline
from tests.monitor.streams import BINARY

USUAL = RepeatedRows(rows=16, shares=(0.0,) * 40)


def requests(day: int, count: int, repeated: int = 0, version: int = 1, digest: str = DIGEST) -> bytes:
    """Return requests of a day. The last ones repeat the first ones with another id."""
    numbers = [*range(count - repeated), *range(repeated)]
    data = {name: values[numbers] for name, values in BINARY.rows(np.random.default_rng(day), count, 0.0).items()}
    at = [EPOCH + timedelta(days=day, minutes=number) for number in numbers]
    ids = [f"{day}-{number}" for number in range(count)]
    return encode_predictions(predictions(data, at, ids, [f"e{number}" for number in numbers]), version, digest)


def stuck(day: int, version: int, digest: str) -> bytes:
    """Return requests of a day that have the same features."""
    data = {name: values[[0] * 400] for name, values in BINARY.rows(np.random.default_rng(day), 1, 0.0).items()}
    at = [EPOCH + timedelta(days=day, minutes=number) for number in range(400)]
    return encode_predictions(predictions(data, at, [f"{day}-{number}" for number in range(400)]), version, digest)


def ended(days: int) -> bytes:
    """Return an outcome after which the windows of `days` days can close."""
    return encode_outcomes(outcomes(["none"], np.ones(1), [EPOCH + timedelta(days=days)]))


@pytest.mark.medium
async def test_a_day_that_is_sent_twice_has_an_alert_and_its_windows_the_figures() -> None:
    store = await filled_store()
    store.known_profiles[DIGEST] = BINARY.profile.model_copy(update={"repeated_rows": USUAL})
    sent = [requests(0, 400), requests(1, 800, repeated=400), requests(2, 400), requests(4, 1), requests(5, 1)]
    for first in range(len(sent)):
        clock = FakeClock()
        pipeline = new_pipeline(store, clock)
        await pipeline.load()
        await pipeline.advance(messages(sent[first : first + 1], first=first))
        # A checkpoint is due, and the next pipeline starts from it.
        clock.now = 100.0
        await pipeline.advance([])
    await pipeline.advance(messages([], [ended(8), ended(9)]))
    raised = [each.event for each in store.published if isinstance(each.event, AlertRaised)]
    # The first outcomes arrive after five days, which is also reported.
    alerts = [each for each in raised if each.kind != "no_outcomes"]
    assert [each.kind for each in alerts] == ["repeated_requests"]
    assert alerts[0].raised_at == EPOCH + timedelta(days=2)
    closed = [each.event for each in store.published if isinstance(each.event, WindowClosed)]
    figures = [{each.statistic: each.value for each in window.statistics if each.feature is None} for window in closed]
    assert [each["repeated_requests"] for each in figures] == [0.0, 0.5, 0.0]
    assert [each["repeated_features"] for each in figures] == [0.0, 0.5, 0.0]
    status = (await pipeline.status(MODEL)).repeats
    assert status is not None
    assert (status.rows, status.requests, status.newest_features, status.training) == (400, 0.0, 0.0, 0.0)


async def test_a_model_without_a_reference_of_repeated_rows_has_the_figures_alone() -> None:
    store: MemoryStore = await filled_store()
    pipeline = new_pipeline(store, FakeClock())
    await pipeline.load()
    await pipeline.advance(messages([requests(0, 400), requests(2, 10)]))
    status = (await pipeline.status(MODEL)).repeats
    assert status is not None
    assert (status.rows, status.newest_features) == (400, None)


async def test_a_rollback_ends_the_alert_about_features_and_the_version_that_returns_is_watched() -> None:
    store = await filled_store()
    profile = BINARY.profile.model_copy(update={"repeated_rows": USUAL})
    store.known_profiles |= {DIGEST: profile, DIGEST_2: profile}
    pipeline = new_pipeline(store, FakeClock())
    await pipeline.load()
    steps = [
        (ChampionRevision(2, 2, DIGEST_2), stuck(0, 2, DIGEST_2)),
        # A late answer of the version that was rolled back does not count for the one that serves.
        (ChampionRevision(3, 1, DIGEST), stuck(1, 2, DIGEST_2)),
        (ChampionRevision(3, 1, DIGEST), stuck(2, 1, DIGEST)),
    ]
    open_ones = []
    for first, (champion, sent) in enumerate(steps):
        await store.save_champion(MODEL, champion)
        store.changed = True
        await pipeline.advance(messages([sent], first=first))
        open_ones.append((await pipeline.status(MODEL)).alerts.get("repeated_features"))
    raised, ended, again = open_ones
    assert (raised is None, ended, again is None) == (False, None, False)
    assert raised in {each.event.alert_id for each in store.published if isinstance(each.event, AlertResolved)}
    assert pipeline.models[MODEL].quality.repeats.features.version == 1
