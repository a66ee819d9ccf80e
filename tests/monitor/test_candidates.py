"""Canaries and shadows: each is compared with its own reference, and nothing about the champion depends on them."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, RolloutEvidence
from rondo.monitor.candidates import CANDIDATE_ROLES, Candidate, Candidates
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.stream.log_messages import Predictions
from rondo.monitor.stream.watermark import Watermark
from rondo.monitor.windows.tumbling import TumblingWindows

from tests.monitor.builders import (
    DIGEST_2,
    MODEL,
    SPEC,
    encode_predictions,
    predictions,
    times,
)
from tests.monitor.fakes import FakeClock, MemoryStore, messages
from tests.monitor.pipeline.stores import KNOWN, PREDICTED, filled_store, new_pipeline, published, uninterrupted
from tests.monitor.scenarios import NEXT, DailyScenario
from tests.monitor.streams import BINARY

if TYPE_CHECKING:
    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.status.candidate_status import CandidateStatus

DAYS, ROWS_A_DAY = 8, 200
REFERENCE = Reference.of(BINARY.profile, DIGEST_2)
WINDOWS = TumblingWindows.of(SPEC, REFERENCE.density)


def rows_of(day: float, shift: float = 0.0, count: int = ROWS_A_DAY) -> Any:
    data = BINARY.rows(np.random.default_rng(int(day * 100)), count, shift)
    return predictions(data, times(day, count), [f"{day}-{i}" for i in range(count)])


def batch(day: float, version: int = 2, role: str = "canary", shift: float = 0.0) -> Predictions:
    return Predictions(MODEL, version, DIGEST_2, role, rows_of(day, shift))


def look(
    candidates: Candidates, reference: Reference = REFERENCE, passed: int = 2**62
) -> tuple[bool, list[Announcement]]:
    return candidates.look(MODEL, {DIGEST_2: reference}, WINDOWS, Watermark(newest=passed, passed=passed), 0.01)


def canary_log(shift: float, role: str = "canary") -> list[bytes]:
    """Return one message for each message of the primary's log, of version 2."""
    per_day = len(PREDICTED) // DAYS
    logged = [rows_of(day, shift if day >= 2 else 0.0) for day in range(DAYS)]
    size = ROWS_A_DAY // per_day
    parts = [table.slice(at * size, size) for table in logged for at in range(per_day)]
    return [encode_predictions(each, version=2, digest=DIGEST_2, role=role) for each in parts]


async def store_with_a_canary() -> MemoryStore:
    store = await filled_store()
    await store.save_profile(DIGEST_2, BINARY.profile)
    return store


def interleaved(others: list[bytes]) -> list[bytes]:
    return [value for pair in zip(others, PREDICTED, strict=True) for value in pair]


def findings(store: MemoryStore) -> dict[str, Any]:
    """Return the published events, except the comparison of two versions and the alerts about candidates."""
    return {
        key: event
        for key, event in published(store).items()
        if not isinstance(event, RolloutEvidence) and getattr(event, "role", None) not in CANDIDATE_ROLES
    }


def alerts_about_candidates(store: MemoryStore) -> list[AlertRaised]:
    raised = [event for event in published(store).values() if isinstance(event, AlertRaised)]
    return [event for event in raised if event.role in CANDIDATE_ROLES]


async def status_after(others: list[bytes]) -> tuple[tuple[CandidateStatus, ...], list[AlertRaised]]:
    store = await store_with_a_canary()
    pipeline = new_pipeline(store, FakeClock())
    await pipeline.load()
    await pipeline.advance(messages(interleaved(others), KNOWN))
    assert findings(store) == await uninterrupted(), "nothing is found about a candidate"
    status = await pipeline.status(MODEL)
    alerts = alerts_about_candidates(store)
    assert {kind: status.alerts[kind] for kind in CANDIDATE_ROLES if kind in status.alerts} == {
        alert.kind: alert.alert_id for alert in alerts
    }
    return status.candidates, alerts


@pytest.mark.slow
@pytest.mark.parametrize("role", ["canary", "shadow"])
async def test_a_change_of_what_a_candidate_is_asked_opens_an_alert_with_its_role_and_no_finding(role: str) -> None:
    (unchanged,), alerts = await status_after(canary_log(0.0, role))
    assert alerts == []
    assert (unchanged.role, unchanged.version) == (role, 2)
    assert unchanged.verdict.state == "partly_judged"
    assert unchanged.rows > 1_000
    (changed,), (alert,) = await status_after(canary_log(1.5, role))
    assert (alert.kind, alert.role, alert.model_version) == (role, role, 2)
    assert changed.verdict.state == "changed"
    assert {each.column for each in changed.columns if each.changed} == {"x"}
    assert {each.group for each in changed.columns} == {"inputs", "outputs"}


@pytest.mark.medium
async def test_a_candidate_whose_profile_is_missing_delays_nothing_of_the_champion() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock, max_out_of_orderness=5.0, outcomes_idle_timeout=5.0)
    await pipeline.load()
    pipeline.caught_up()
    await pipeline.advance(messages(interleaved(canary_log(0.0)), KNOWN))
    assert findings(store) == await uninterrupted()
    before, clock.now = pipeline.models[MODEL].watermark.passed, 5.0
    await pipeline.advance([])
    assert pipeline.models[MODEL].watermark.passed > before, "the idle stream has passed"
    # The rows of the version count as soon as its profile is there.
    async with store.work() as work:
        await work.save_profile(DIGEST_2, BINARY.profile)
    await pipeline.advance([])
    assert [each.version for each in (await pipeline.status(MODEL)).candidates] == [2]


@pytest.mark.medium
async def test_the_rows_of_an_unknown_role_are_no_candidate() -> None:
    assert await status_after(canary_log(1.5, "from-the-future")) == ((), [])


@pytest.fixture(scope="module")
def seen_at_once() -> tuple[list[bytes], CandidateStatus, list[AlertRaised]]:
    """Return the log of a canary whose requests have changed, its status after the whole log, and its alert."""
    others = canary_log(1.5)
    (found,), alerts = asyncio.run(status_after(others))
    return interleaved(others), found, alerts


@pytest.mark.medium
@settings(max_examples=settings().max_examples // 7)
@given(seed=st.integers(0, 2**32))
async def test_batches_and_restarts_change_nothing_that_is_known_about_a_candidate(
    seen_at_once: tuple[list[bytes], CandidateStatus, list[AlertRaised]], seed: int
) -> None:
    rng, store, clock, (log, expected, alerts) = (
        random.Random(seed),
        await store_with_a_canary(),
        FakeClock(),
        seen_at_once,
    )
    read = 0
    while read < len(log):
        pipeline = new_pipeline(store, clock)
        read = dict(await pipeline.load()).get(("predictions.log", 0), 0)
        for _ in range(rng.randint(1, 6)):
            step, clock.now = rng.randint(0, 12), clock.now + 2.0
            await pipeline.advance(messages(log[read : read + step], first=read))
            read += len(log[read : read + step])
    await pipeline.advance([])
    assert (await pipeline.status(MODEL)).candidates == (expected,)
    assert alerts_about_candidates(store) == alerts


def test_a_candidate_is_compared_with_its_own_reference() -> None:
    """A version that was trained on shifted rows finds no change if the rows are shifted in the same way."""
    shifted = replace(BINARY, rows=lambda rng, count, shift=0.0: BINARY.rows(rng, count, shift + 1.5))
    own = Reference.of(shifted.profile_of(2_000, 10 * 86_400.0), DIGEST_2)
    for reference, changes in ((own, False), (REFERENCE, True)):
        candidates = Candidates()
        for day in range(6):
            candidates.count(batch(day, shift=1.5), reference, WINDOWS, 0)
        looked, alerts = look(candidates, reference)
        assert looked
        assert bool(alerts) == changes


def with_an_alert(role: str = "canary") -> tuple[Candidates, AlertRaised]:
    candidates = Candidates()
    for day in range(6):
        candidates.count(batch(day, role=role, shift=1.5), REFERENCE, WINDOWS, 0)
    _, (alert,) = look(candidates)
    assert isinstance(alert.event, AlertRaised)
    return candidates, alert.event


def test_an_alert_about_a_candidate_opens_once_and_ends_when_another_version_has_its_role() -> None:
    candidates, alert = with_an_alert()
    candidates.count(batch(7, shift=1.5), REFERENCE, WINDOWS, 0)
    assert look(candidates) == (True, [])
    assert candidates.open_alerts == {"canary": alert.alert_id}
    candidates.count(batch(8, version=3), REFERENCE, WINDOWS, 0)
    _, (end,) = look(candidates)
    assert isinstance(end.event, AlertResolved)
    assert end.event.alert_id == alert.alert_id
    assert candidates.open_alerts == {}


@pytest.mark.medium
def test_the_alert_about_a_candidate_ends_with_its_promotion_or_the_removal_of_the_model() -> None:
    for remove in (False, True):
        scenario = DailyScenario()
        scenario.day(0)
        scenario.state.candidates, alert = with_an_alert("shadow")
        scenario.restart()
        assert scenario.state.open_alerts == {"shadow": alert.alert_id}
        ended = scenario.state.remove(2) if remove else []
        if not remove:
            scenario.promote(NEXT)
            _, ended = scenario.state.look_at_candidates({})
        assert [each.event.alert_id for each in ended if isinstance(each.event, AlertResolved)] == [alert.alert_id]
        assert scenario.state.look_at_candidates({}) == (False, [])


def test_rows_of_steps_that_are_closed_are_late_and_counted_as_such() -> None:
    candidates, scenario = Candidates(), DailyScenario()
    scenario.day(3)
    passed = scenario.state.watermark.passed
    candidates.count(batch(1), REFERENCE, WINDOWS, passed)
    assert (candidates.evidence.late, look(candidates, passed=passed)) == (ROWS_A_DAY, (False, []))


def test_a_newer_version_takes_the_place_of_the_one_before_and_a_shadow_may_become_a_canary() -> None:
    candidates = Candidates()
    candidates.count(batch(0, version=3, role="shadow"), REFERENCE, WINDOWS, 0)
    candidates.count(batch(1, version=3, role="canary"), REFERENCE, WINDOWS, 0)
    assert candidates.by_role == {"canary": Candidate(3, DIGEST_2)}
    look(candidates)
    assert candidates.evidence.versions[3].taken["inputs"].rows == 2 * ROWS_A_DAY
    candidates.count(batch(2, version=2), REFERENCE, WINDOWS, 0)
    assert candidates.evidence.known == {3}, "an older one is not deployed any more"
    candidates.count(batch(2, version=4), REFERENCE, WINDOWS, 0)
    assert (candidates.by_role, candidates.evidence.known) == ({"canary": Candidate(4, DIGEST_2)}, {4})


def test_a_promotion_ends_it() -> None:
    scenario = DailyScenario()
    scenario.state.candidates.count(batch(0), REFERENCE, WINDOWS, 0)
    assert scenario.state.required_profiles() == {"one", DIGEST_2}
    scenario.promote(NEXT)
    assert (scenario.state.candidates.by_role, scenario.state.candidates.evidence.known) == ({}, set())


def test_rows_of_a_candidate_without_a_profile_are_not_missed_in_any_window() -> None:
    scenario = DailyScenario()
    before = dict(scenario.state.dropped.counts)
    scenario.state.buffer_predictions(b"", batch(0), now=0.0)
    assert scenario.state.count_buffered({}, timed_out=1.0) == ROWS_A_DAY
    assert scenario.state.dropped.counts == before
    assert scenario.state.quality.streams.open == {}


def test_without_a_spec_nothing_is_looked_at() -> None:
    scenario = DailyScenario()
    scenario.day(0)
    scenario.state.candidates.count(batch(0, shift=1.5), REFERENCE, WINDOWS, 0)
    scenario.state.spec = None
    scenario.state.watermark = Watermark(newest=2**61, passed=2**61)
    assert scenario.state.look_at_candidates({DIGEST_2: REFERENCE}) == (False, [])
