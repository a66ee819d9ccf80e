"""The number of rows that a model scores within a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rondo.serving.inference import pace, service
from rondo.serving.inference.pace import Paces
from rondo.serving.models.answer_cache import AnswerCache
from rondo.serving.models.loaded_version import Compared
from rondo.serving.models.serving_table import ServingTable

from tests.serving.builders import NOW, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel


@pytest.fixture
def served(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> ServedModel:
    return serve(replace(version(), row_seconds=0.5))


def test_before_the_first_inference_the_warm_up_says_how_long_a_row_takes(served: ServedModel) -> None:
    paces = Paces()
    assert [paces.rows(served, seconds) for seconds in (-1.0, 0.25, 1.2)] == [0, 0, 2]
    paces.measured(served, 10, 0.1)
    assert paces.rows(served, 1.0) == 100
    assert paces.rows(replace(served, revision=2), 1.2) == 2, "another version has another pace"
    assert [paces.is_slow(served, seconds) for seconds in (0.005, 0.02)] == [True, False]
    assert paces.is_slow(replace(served, revision=2), 0.02)


def test_what_two_versions_of_a_rollout_take_adds_up(served: ServedModel) -> None:
    primary = served.versions[0]
    both = replace(served, compared=Compared(primary, primary, primary, all_rows=True))
    assert (served.row_seconds, both.row_seconds) == (0.5, 1.0)


def test_rows_that_the_cache_has_say_nothing_of_others(served: ServedModel) -> None:
    version, paces = served.versions[0], Paces()
    cache = AnswerCache("delay", version.outputs)
    cache.capacity = 10
    cached = replace(served, versions=(replace(version, cache=cache),))
    paces.measured(cached, 100, 0.001)
    assert paces.rows(cached, 1.2) == 2


def test_slices_follow_the_pace_and_end_with_the_time(served: ServedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, sizes = [0.0], list[int]()
    monkeypatch.setattr(pace.time, "perf_counter", lambda: clock[0])
    parsed = _rows(served, 100)

    def infer(found: ServedModel, rows: Any) -> Any:
        sizes.append(len(rows))
        clock[0] += len(rows) * (0.1 if len(sizes) == 1 else 0.2)
        return service.infer(found, rows, lambda: NOW)

    # The second slice takes twice as long as expected.
    inference, done = Paces().infer_until(infer, served, parsed, 4.0)
    assert (sizes, done) == ([8, 32], 40), "8 by the warm-up, then what fits by what was measured"
    assert sorted(number for scored in inference.scored for number in scored.numbers) == list(range(done))
    everything, all_rows = Paces().infer_until(infer, served, parsed, 1e9)
    assert all_rows == 100
    assert [len(scored.numbers) for scored in everything.scored] == [100]


def _rows(served: ServedModel, count: int) -> Any:
    [group] = ServingTable({"delay": served}).parser.parse([request(number) for number in range(count)]).groups
    return group.rows
