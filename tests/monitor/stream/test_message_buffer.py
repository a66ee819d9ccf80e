"""Messages that wait for a profile, and how long."""

from __future__ import annotations

import numpy as np
import pytest
from monitor_world import DIGEST, DIGEST_2, MODEL, REFERENCE, SPEC, encode_predictions, predictions, rows, times
from rondo.monitor.model_state import Watch
from rondo.monitor.ports import Champion
from rondo.monitor.stream.log_messages import read_predictions
from rondo.monitor.stream.message_buffer import Waiting


@pytest.fixture
def held() -> Waiting:
    """Return a model whose version 1 has no profile, and whose version 2, that has one, comes behind it."""
    kept = Waiting(Watch(MODEL))
    kept.watch.apply(SPEC)
    kept.watch.promote(Champion(1, 1, DIGEST))
    hold(kept, 1, DIGEST, now=10.0)
    hold(kept, 2, DIGEST_2, now=50.0)
    return kept


def hold(kept: Waiting, version: int, digest: str, now: float) -> None:
    table = predictions(rows(np.random.default_rng(0), 10), times(0, 10), [f"{now}-{i}" for i in range(10)])
    value = encode_predictions(table, version, digest)
    kept.hold(value, read_predictions(value), now)


def test_a_profile_that_never_comes_holds_up_the_next_version_for_a_while_only(
    held: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    profiles = {DIGEST_2: REFERENCE}
    assert held.count(profiles, overdue=9.0) == 0
    assert held.count(profiles, overdue=10.0) == 20
    assert held.watch.left_out.counted["unprofiled"] == 10
    assert {version: s.rows for (version, _), s in held.watch.windows.items()} == {2: 10}
    assert (held.held_bytes, len(held.held)) == (0, 0)
    assert f"loans version 1: no profile came for {DIGEST}" in caplog.text


def test_what_was_given_up_holds_up_nothing_more_and_is_said_once(
    held: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    held.count({DIGEST_2: REFERENCE}, overdue=10.0)
    hold(held, 1, DIGEST, now=60.0)
    assert held.count({DIGEST_2: REFERENCE}, overdue=10.0) == 10
    assert held.watch.left_out.counted["unprofiled"] == 20
    assert caplog.text.count("no profile came") == 1


def test_a_profile_that_comes_late_counts_from_then_on(held: Waiting) -> None:
    held.count({DIGEST_2: REFERENCE}, overdue=10.0)
    hold(held, 1, DIGEST, now=60.0)
    held.count({DIGEST: REFERENCE, DIGEST_2: REFERENCE}, overdue=10.0)
    assert {version: s.rows for (version, _), s in held.watch.windows.items()} == {1: 10, 2: 10}


def test_beyond_the_bound_the_oldest_goes_and_is_counted(held: Waiting, caplog: pytest.LogCaptureFixture) -> None:
    bounded = Waiting(held.watch, held.held_bytes)
    for version, now in ((1, 10.0), (1, 20.0), (2, 50.0), (2, 60.0)):
        hold(bounded, version, DIGEST, now)
    assert (held.watch.left_out.counted["dropped"], len(bounded.held)) == (20, 2)
    assert caplog.text.count("loans version 1: more rows wait for a profile or spec than there is room for") == 1
