"""Rows of a version whose reference profile is missing: they are buffered until its timeout."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.monitor.stream.log_messages import read_predictions

from tests.monitor.builders import (
    DIGEST,
    DIGEST_2,
    REFERENCE,
    encode_predictions,
    predictions,
    rows,
    times,
)
from tests.monitor.scenarios import DailyScenario


def buffer(scenario: DailyScenario, version: int, digest: str, now: float) -> None:
    table = predictions(rows(np.random.default_rng(0), 10), times(0, 10), [f"{now}-{i}" for i in range(10)])
    value = encode_predictions(table, version, digest)
    scenario.state.buffer_predictions(value, read_predictions(value), now)


@pytest.fixture
def buffered() -> DailyScenario:
    """Return a model whose version 1 has no profile. Version 2, whose rows follow, has one."""
    scenario = DailyScenario()
    buffer(scenario, 1, DIGEST, now=10.0)
    buffer(scenario, 2, DIGEST_2, now=50.0)
    return scenario


def test_a_missing_profile_blocks_the_next_version_until_its_timeout(
    buffered: DailyScenario, caplog: pytest.LogCaptureFixture
) -> None:
    state, profiles = buffered.state, {DIGEST_2: REFERENCE}
    assert state.count_buffered(profiles, timed_out=9.0) == 0
    assert state.count_buffered(profiles, timed_out=10.0) == 20
    assert state.dropped.counts["unprofiled"] == 10
    assert {version: window.rows for (version, _), window in state.windows.items()} == {2: 10}
    assert (state.buffer.size, len(state.buffer.messages)) == (0, 0)
    assert [record.args[2] for record in caplog.records] == [DIGEST]  # type: ignore[index]


def test_a_version_that_timed_out_blocks_no_more_and_is_logged_once(
    buffered: DailyScenario, caplog: pytest.LogCaptureFixture
) -> None:
    buffered.state.count_buffered({DIGEST_2: REFERENCE}, timed_out=10.0)
    buffer(buffered, 1, DIGEST, now=60.0)
    assert buffered.state.count_buffered({DIGEST_2: REFERENCE}, timed_out=10.0) == 10
    assert buffered.state.dropped.counts["unprofiled"] == 20
    assert len(caplog.records) == 1


def test_a_profile_that_arrives_after_the_timeout_applies_from_then_on(buffered: DailyScenario) -> None:
    buffered.state.count_buffered({DIGEST_2: REFERENCE}, timed_out=10.0)
    buffer(buffered, 1, DIGEST, now=60.0)
    buffered.state.count_buffered({DIGEST: REFERENCE, DIGEST_2: REFERENCE}, timed_out=10.0)
    assert {version: window.rows for (version, _), window in buffered.state.windows.items()} == {1: 10, 2: 10}


def test_rows_evicted_from_the_buffer_are_counted(buffered: DailyScenario) -> None:
    buffered.state.buffer.max_bytes = buffered.state.buffer.size
    for version, now in ((1, 60.0), (2, 70.0)):
        buffer(buffered, version, DIGEST, now)
    assert buffered.state.dropped.counts["evicted_rows"] == 20
