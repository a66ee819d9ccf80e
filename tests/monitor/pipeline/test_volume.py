"""The number of requests, in the pipeline: the requests that count, and what remains of the count after a restart."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tests.monitor.builders import EPOCH, MODEL, encode_predictions, predictions
from tests.monitor.fakes import FakeClock, messages
from tests.monitor.pipeline.stores import filled_store, new_pipeline
from tests.monitor.streams import BINARY

HOURLY = timedelta(hours=1)


def requests(first_day: int, days: int) -> bytes:
    """Return a message with a request an hour."""
    at = [EPOCH + first_day * timedelta(days=1) + n * HOURLY for n in range(24 * days)]
    data = BINARY.rows(np.random.default_rng(1), len(at))
    return encode_predictions(predictions(data, at, [f"{each:%j-%H}" for each in at]))


@pytest.mark.medium
async def test_the_status_has_the_requests_of_the_newest_day_beside_its_weeks_and_a_restart_keeps_them() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    await pipeline.advance(messages([requests(0, 30)]))
    found = (await pipeline.status(MODEL)).volume
    assert found is not None
    assert (found.rows, found.least, found.most, found.weeks, found.strange) == (24, 24, 24, 4, False)
    clock.now += 100.0
    await pipeline.advance([])
    again = new_pipeline(store, clock)
    await again.load()
    assert again.models[MODEL].quality.volume == pipeline.models[MODEL].quality.volume
    assert (await again.status(MODEL)).volume == found
