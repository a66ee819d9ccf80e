"""The cost of the predictions of a version."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events import inference_cost, logs
from rondo.contracts.events.inference_cost import InferenceCost
from rondo.monitor.costs.cost_status import Power, cost_statuses
from rondo.monitor.costs.version_cost import MOST_VERSIONS, MOST_WINDOWS, ModelCosts, VersionCost
from rondo.monitor.state.codec import decode_state, encode_state, nothing_stored

from tests.monitor.builders import EPOCH, MODEL, encode_predictions, predictions, times
from tests.monitor.fakes import FakeClock, messages
from tests.monitor.pipeline.stores import filled_store, new_pipeline
from tests.monitor.streams import BINARY


@given(st.lists(st.integers(1, 100_000_000), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_within_a_twentieth(micros: list[int], share: float) -> None:
    cost = VersionCost().plus(InferenceCost(tuple(micros)))
    exact = float(np.quantile(micros, share, method="inverted_cdf")) / 1e6
    assert cost.quantile(share) == pytest.approx(exact, rel=0.05)


def test_the_cost_of_parts_is_that_of_the_whole() -> None:
    one, two = InferenceCost((5, 600), 10, 3, 1, 7), InferenceCost((70,), 20, 4, 2, 9)
    assert VersionCost().plus(one).plus(two) == VersionCost().plus(InferenceCost.total([one, two]))
    assert VersionCost().plus(InferenceCost()) == VersionCost()


def test_emissions_are_processor_time_by_watts_by_the_grid() -> None:
    costs = ModelCosts()
    costs.add(3, InferenceCost((1_000,), 1_800_000_000, 500, 4, 0))
    (found,) = cost_statuses(costs, Power(watts=10.0, grams_per_kwh=300.0))
    # 3,600 s per 1,000 at 10 W are 0.01 kWh.
    assert (found.cpu_seconds, found.emissions_grams) == (3_600.0, pytest.approx(3.0))
    assert (found.predictions, found.errors, found.memory_bytes) == (500, 4, None)
    assert found.latency_p50 == pytest.approx(0.001, rel=0.05)


def test_the_newest_versions_are_kept() -> None:
    costs = ModelCosts()
    for version in range(20):
        costs.add(version, InferenceCost((1,), 1, 1, 0, 1))
    assert sorted(costs.versions) == list(range(20 - MOST_VERSIONS, 20))
    assert [each.version for each in cost_statuses(costs, Power())][:2] == [19, 18]


def with_cost(role: str, cost: InferenceCost) -> bytes:
    rows = predictions(BINARY.rows(np.random.default_rng(1), 10), times(0, 10), [f"{role}{n}" for n in range(10)])
    batch = logs.decode(encode_predictions(rows, version=1 if role == "primary" else 2, role=role))
    return logs.encode(batch.replace_schema_metadata(logs.metadata(batch) | {inference_cost.KEY: cost.text}))


async def test_the_log_has_the_cost_of_every_role_and_a_checkpoint_keeps_it() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    cost = InferenceCost((2_000,), 30_000, 10, 1, 5_000)
    await pipeline.advance(
        messages([with_cost("primary", cost), with_cost("shadow", cost), with_cost("primary", cost)])
    )
    found = (await pipeline.status(MODEL)).costs
    assert [(each.version, each.predictions, each.errors) for each in found] == [(2, 10, 1), (1, 20, 2)]
    assert (found[1].cpu_seconds, found[1].memory_bytes) == (3.0, 5_000)
    saved, _ = encode_state(pipeline.models[MODEL], nothing_stored())
    decoded, _ = decode_state(MODEL, saved, 1, now=0.0)
    assert decoded.costs == pipeline.models[MODEL].costs


def logged(day: float, cost: InferenceCost, *, rows: int = 10, version: int = 1) -> bytes:
    """Return a message with a cost, whose rows span half a day."""
    ids = [f"{day}-{version}-{n}" for n in range(rows)]
    table = predictions(BINARY.rows(np.random.default_rng(1), rows), times(day, rows, 0.5), ids)
    batch = logs.decode(encode_predictions(table, version=version))
    return logs.encode(batch.replace_schema_metadata(logs.metadata(batch) | {inference_cost.KEY: cost.text}))


async def test_a_closed_window_has_what_its_predictions_cost_and_a_restart_keeps_it() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    # The length of windows is known from the first rows on, so the first cost belongs to no window.
    await pipeline.advance(messages([logged(0, InferenceCost((1_000,), 0, 7, 0, 0))]))
    cost = InferenceCost((2_000,), 30_000, 10, 1, 5_000_000)
    await pipeline.advance(messages([logged(0, cost), logged(0.5, cost), logged(1, cost)], first=1))
    clock.now += 100.0
    await pipeline.advance([])
    again = new_pipeline(store, clock)
    await again.load()
    assert again.models[MODEL].costs == pipeline.models[MODEL].costs
    again.caught_up()
    await again.advance(messages([logged(3, InferenceCost())], first=4))
    # No outcome arrives, so the windows close after the timeout.
    clock.now += 1_000.0
    await again.advance([])
    closed = {each.closed.start: each.closed for each in store.published if each.closed}
    found = [closed[EPOCH + timedelta(days=day)].cost for day in (0, 1)]
    assert [(each.version, each.predictions, each.errors) for each in found if each] == [(1, 20, 2), (1, 10, 1)]
    (first, _) = found
    assert first is not None
    assert (first.error_share, first.memory_bytes, first.cpu_seconds) == (pytest.approx(1 / 11), 5_000_000, 3.0)
    assert first.latency_p95 == pytest.approx(0.002, rel=0.05)
    assert again.models[MODEL].costs.windows == {}


def test_costs_of_windows_that_never_close_are_bounded() -> None:
    costs = ModelCosts()
    for start in range(MOST_WINDOWS + 5):
        costs.add(1, InferenceCost((1,), 1, 1, 0, 1), start)
    assert (len(costs.windows), min(costs.windows)) == (MOST_WINDOWS, (1, 5))
    costs.add(2, InferenceCost((1,), 1, 1, 0, 1), 0)
    assert costs.close(1, 100) == VersionCost().plus(InferenceCost((1,), 1, 1, 0, 1))
    assert min(start for version, start in costs.windows if version == 1) == 101
    assert costs.close(1, 100) is None
    assert set(costs.by_window(1)) == set(range(101, MOST_WINDOWS + 5))


def test_of_windows_with_one_start_those_of_older_versions_are_left_out() -> None:
    costs = ModelCosts()
    for version in (2, 1):
        for start in range(MOST_WINDOWS // 2 + 1):
            costs.add(version, InferenceCost((1,), 1, 1, 0, 1), start)
    assert ((1, 0) in costs.windows, (2, 0) in costs.windows, len(costs.windows)) == (False, False, MOST_WINDOWS)
    costs.add(1, InferenceCost((1,), 1, 1, 0, 1), MOST_WINDOWS)
    assert ((1, 1) in costs.windows, (2, 1) in costs.windows) == (False, True)
