"""The log of a version: the size of its rows, and what they cost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rondo.chassis.errors import UnavailableError
from rondo.contracts.events import inference_cost, logs
from rondo.contracts.events.inference_cost import InferenceCost
from rondo.serving.inference.idle_costs import IdleCosts
from rondo.serving.models.serving_table import ServedModels
from rondo.serving.prediction_log import batch as batches
from rondo.serving.prediction_log.batch import VersionLog, row_bytes
from rondo.serving.prediction_log.cost_meter import CostMeter
from rondo.serving.requests.rows import Rows

from tests.serving.builders import CLASSES, INTERVAL, MULTICLASS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)


def batch(version: LoadedVersion, *carriers: str) -> Any:
    rows = len(carriers)
    numbers = np.ones(rows, "f4")
    columns = {
        "distance": numbers, "seats": numbers, "night": numbers, "carrier": np.array(carriers, dtype=np.object_),
    }  # fmt: skip
    source: Any = None
    ids, nothing = [f"r{row}" for row in range(rows)], [None] * rows
    outputs = version.scorer.score(columns)
    return version.log.batch(Rows(ids, nothing, nothing, columns, source), outputs, NOW)


def test_the_size_of_a_row_is_its_texts_and_8_bytes_for_each_other_value(
    version: Callable[..., LoadedVersion],
) -> None:
    # Two times, three numbers, and the outputs. The ids have two characters.
    rows = batch(version(fitted=INTERVAL), "x" * 100, "ü", "")
    assert row_bytes(rows).tolist() == [100 + 2 + 64, 2 + 2 + 64, 2 + 64]
    rows = batch(version(fitted=MULTICLASS), "")
    assert row_bytes(rows).tolist() == [2 + 48 + len(CLASSES[2]) + 8 * 3]


def costs(encoded: Iterable[bytes]) -> list[InferenceCost]:
    return [InferenceCost.parse(logs.metadata(logs.decode(each)).get(inference_cost.KEY)) for each in encoded]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


NOTHING, COST = InferenceCost(), InferenceCost((5,), 50, 4, 2, 9)


def test_a_record_has_the_costs_since_the_one_before_that_has_some(version: Callable[..., LoadedVersion]) -> None:
    mine, clock = version(), Clock()
    log = VersionLog("delay", 1, "digest", mine.schema.features, mine.outputs, meter=CostMeter(clock))
    rows = batch(mine, "a")
    found = []
    for clock.now, added in ((0.0, (COST,)), (0.9, (COST, COST)), (1.0, (COST,)), (2.5, ())):
        for cost in added:
            log.meter.add(cost)
        found += costs(log.encode(rows))
    assert found == [COST, NOTHING, InferenceCost.total([COST] * 3), NOTHING]


async def test_the_costs_of_the_end_of_a_burst_are_published_without_a_next_request(
    version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]
) -> None:
    clock, models, published = Clock(), ServedModels(), list[bytes]()
    mine = version()
    mine.log.meter = CostMeter(clock)
    models.swap(serve(mine))

    async def publish(model: str, record: bytes) -> None:
        assert model == mine.model
        published.append(record)

    for clock.now in (0.0, 0.1, 0.2, 0.3):
        mine.log.meter.add(COST)
        published += mine.log.encode(batch(mine, "a"))
        await IdleCosts(models, publish).tick()
    assert costs(published) == [COST, NOTHING, NOTHING, NOTHING]
    for clock.now in (1.2, 1.4, 5.0):
        await IdleCosts(models, publish).tick()
    *_, last = published
    assert costs(published)[4:] == [InferenceCost.total([COST] * 3)]
    assert (logs.decode(last).num_rows, logs.metadata(logs.decode(last))["model"]) == (0, "delay")


async def test_costs_that_kafka_does_not_acknowledge_are_published_again(
    version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]
) -> None:
    clock, models, published = Clock(), ServedModels(), list[bytes]()
    mine = version()
    mine.log.meter = CostMeter(clock)
    models.swap(serve(mine))

    async def publish(_: str, record: bytes) -> None:
        if clock.now < 2.0:
            raise UnavailableError("Kafka", "slow")
        published.append(record)

    mine.log.meter.add(COST)
    clock.now = 1.5
    with pytest.raises(UnavailableError):
        await IdleCosts(models, publish).tick()
    clock.now = 3.0
    await IdleCosts(models, publish).tick()
    assert costs(published) == [COST]


def test_a_batch_in_several_records_has_its_cost_once(
    version: Callable[..., LoadedVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_BYTES", 2_500)
    mine = version().in_role("shadow")
    mine.log.meter.due()
    mine.log.meter.add(COST)
    mine.log.meter._taken_at = None
    found = costs(mine.log.encode(batch(mine, *"abcdefgh" * 9)))
    assert len(found) > 2
    assert [each for each in found if each != NOTHING] == [COST]


def test_a_version_has_one_meter_in_all_of_its_roles(version: Callable[..., LoadedVersion]) -> None:
    mine = version()
    assert mine.in_role("canary").log.meter is mine.log.meter


def test_many_costs_do_not_wait() -> None:
    meter = CostMeter(lambda: 0.0)
    meter.add(COST)
    assert meter.due() == COST
    for _ in range(1_000):
        assert meter.due() is None
        meter.add(COST)
    assert (meter.due() or NOTHING).rows == 4_000


@pytest.mark.medium
def test_the_costs_of_a_model_without_a_record_are_bounded() -> None:
    meter = CostMeter()
    for number in range(10_000):
        meter.add(InferenceCost((number,), 50, 0, 2, number))
    cost = meter.due() or NOTHING
    assert (cost.cpu_micros, cost.failed, cost.memory) == (500_000, 20_000, 9_999)
    assert 1_000 <= len(cost.micros) < 3_000
    assert cost.micros == tuple(range(10_000 - len(cost.micros), 10_000))


def test_the_log_of_a_canary_has_its_share_of_the_keys(version: Callable[..., LoadedVersion]) -> None:
    mine = version().in_role("canary", 0.05)
    rows = batch(mine, "a")
    assert logs.metadata(rows)["share"] == "0.05"
    assert logs.metadata(batch(mine.in_role("canary", 0.25), "a"))["share"] == "0.25"
    assert "share" not in logs.metadata(batch(mine.in_role("shadow"), "a"))
