"""Two versions that scored the same requests: losses in pairs of whole cohorts, and minutes for the guards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.events import inference_cost, logs
from rondo.contracts.events.inference_cost import InferenceCost
from rondo.contracts.events.monitoring import RolloutEvidence

from tests.monitor.builders import DIGEST_2, EPOCH, MODEL
from tests.monitor.fakes import FakeClock, MemoryStore, messages
from tests.monitor.pipeline.stores import KNOWN, PREDICTED, filled_store, new_pipeline
from tests.monitor.streams import BINARY

if TYPE_CHECKING:
    from collections.abc import Iterable


def scored_by_another(value: bytes, noise: float, role: str, cost: InferenceCost | None = None) -> bytes:
    """Return the record of version 2 for the requests of a record of version 1, with noise in its scores."""
    batch = logs.decode(value)
    rng = np.random.default_rng(batch.num_rows)
    place = batch.schema.get_field_index("output.score")
    scores = batch.column(place).to_numpy() + rng.normal(0, noise, batch.num_rows)
    worse = batch.set_column(place, "output.score", pa.array(np.clip(scores, 0, 1).astype(np.float32)))
    about = logs.version_metadata(MODEL, 2, DIGEST_2, role) | ({inference_cost.KEY: cost.text} if cost else {})
    return logs.encode(worse.replace_schema_metadata(about))


async def evidence_of(others: Iterable[bytes], *, restart: bool = False) -> list[RolloutEvidence]:
    """Return the published evidence if version 2 scores some requests after version 1, and all outcomes are known."""
    store = await filled_store()
    await store.save_profile(DIGEST_2, BINARY.profile)
    pipeline = new_pipeline(store, FakeClock(), checkpoint_interval=0.0)
    await pipeline.load()
    await pipeline.advance(messages((), KNOWN))
    offset = 0
    for mine, theirs in zip(PREDICTED, others, strict=True):
        both = messages([mine, theirs], first=offset)
        offset += len(both)
        await pipeline.advance(both)
        if restart:
            pipeline = new_pipeline(store, FakeClock(), checkpoint_interval=0.0)
            await pipeline.load()
    return published_evidence(store)


def published_evidence(store: MemoryStore) -> list[RolloutEvidence]:
    return [each.event for each in store.published if isinstance(each.event, RolloutEvidence)]


@pytest.mark.parametrize(("noise", "low", "high"), [(0.0, 0.0, 0.0), (0.3, 0.02, 0.4)])
@pytest.mark.medium
async def test_losses_are_compared_in_pairs_of_the_same_requests(noise: float, low: float, high: float) -> None:
    found = await evidence_of(scored_by_another(value, noise, "shadow") for value in PREDICTED)
    cohorts = [each for each in found if each.complete_until is not None]
    assert {(each.primary, each.other) for each in found} == {(1, 2)}
    assert len(cohorts) >= 5
    blocks = [block for each in cohorts for block in each.blocks]
    assert [each.start for each in blocks] == sorted(each.start for each in blocks)
    assert blocks[0].start >= EPOCH
    assert all(low <= np.mean([b.difference for b in each.blocks]) <= high for each in cohorts)
    assert sum(each.rows for each in blocks) >= 0.9 * sum(logs.decode(v).num_rows for v in PREDICTED) * 5 / 8


@pytest.mark.slow
async def test_a_restart_changes_nothing() -> None:
    others = [scored_by_another(value, 0.3, "canary") for value in PREDICTED]
    assert await evidence_of(others, restart=True) == await evidence_of(others)


@pytest.mark.medium
async def test_a_minute_has_the_answers_and_the_errors_of_both() -> None:
    cost = InferenceCost((900,), 10, 40, 3, 0)
    found = await evidence_of(scored_by_another(value, 0.0, "canary", cost) for value in PREDICTED)
    minutes = [minute for each in found for minute in each.minutes]
    rows = logs.decode(PREDICTED[0]).num_rows
    # The last minute has not passed, so its rows are not included.
    assert len(PREDICTED) - 1 <= sum(m.other_answers for m in minutes) / rows <= len(PREDICTED)
    assert sum(m.other_errors for m in minutes) / 3 == sum(m.other_answers for m in minutes) / rows
    assert all(m.other_scored == m.other_answers + m.other_errors for m in minutes)
    assert sum(m.primary_errors for m in minutes) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "low", "high"), [pytest.param(0.0, 0.0, 0.0, marks=pytest.mark.slow), (0.3, 0.1, 0.3)]
)
async def test_a_minute_has_the_difference_of_the_predictions(noise: float, low: float, high: float) -> None:
    found = await evidence_of(scored_by_another(value, noise, "shadow") for value in PREDICTED)
    minutes = [minute for each in found if each.complete_until is None for minute in each.minutes]
    assert len(minutes) == len(PREDICTED) - 1
    assert all(each.disagreement is not None and low <= each.disagreement <= high for each in minutes)


async def test_predictions_are_compared_without_any_outcome() -> None:
    store = await filled_store()
    await store.save_profile(DIGEST_2, BINARY.profile)
    pipeline = new_pipeline(store, FakeClock())
    await pipeline.load()
    both = [each for value in PREDICTED[:3] for each in (value, scored_by_another(value, 0.3, "canary"))]
    for offset, value in enumerate(both):
        await pipeline.advance(messages([value], first=offset))
    before, minute = (minute for each in published_evidence(store) for minute in each.minutes)
    # At the first record it was not known yet that there are two versions.
    assert before.disagreement is None
    assert minute.disagreement


@pytest.mark.parametrize("restart", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.medium
async def test_a_version_that_fails_on_every_row_is_counted(*, restart: bool) -> None:
    cost = InferenceCost((900,), 10, 0, 3, 0)
    others = [logs.encode(logs.decode(scored_by_another(v, 0.0, "canary", cost)).slice(0, 0)) for v in PREDICTED]
    minutes = [minute for each in await evidence_of(others, restart=restart) for minute in each.minutes]
    # The first record precedes the minute of any row, and the minute of the last record has not passed.
    assert sum(each.other_errors for each in minutes) == 3 * (len(PREDICTED) - 2)
    assert {(each.other_scored, each.other_answers) for each in minutes} == {(3, 0)}
    assert all(each.primary_scored for each in minutes)


@pytest.mark.slow
async def test_a_shadow_answers_nothing() -> None:
    found = await evidence_of(scored_by_another(value, 0.0, "shadow") for value in PREDICTED)
    assert {minute.other_answers for each in found for minute in each.minutes} == {0}


@pytest.mark.medium
async def test_without_another_version_there_is_no_evidence() -> None:
    store = await filled_store()
    pipeline = new_pipeline(store, FakeClock())
    await pipeline.load()
    await pipeline.advance(messages(PREDICTED, KNOWN))
    assert published_evidence(store) == []


async def test_a_checkpoint_of_an_earlier_release_is_read() -> None:
    store = await filled_store()
    pipeline = new_pipeline(store, FakeClock(), checkpoint_interval=0.0)
    await pipeline.load()
    await pipeline.advance(messages(PREDICTED[:1], KNOWN))
    (saved,) = store.models.values()
    figures = json.loads(json.dumps(saved.figures))
    del figures["compared"]
    tables = {name: table for name, table in saved.tables.items() if name != "compared"}
    store.models[MODEL] = type(saved)(figures, saved.windows, saved.evidence, tables)
    await new_pipeline(store, FakeClock()).load()
