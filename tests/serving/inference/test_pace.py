"""The number of rows that a model scores within a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rondo.serving.inference import pace, service
from rondo.serving.inference.pace import Paces
from rondo.serving.inference.scored import Duration
from rondo.serving.models.answer_cache import AnswerCache
from rondo.serving.models.loaded_version import ServedModel
from rondo.serving.models.serving_table import ServingTable

from tests.serving.builders import NOW, beside, request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rondo.serving.models.loaded_version import LoadedVersion


@pytest.fixture
def served(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> ServedModel:
    return serve(replace(version(), row_seconds=0.5))


def took(version: LoadedVersion, rows: int, seconds: float) -> list[Duration]:
    return [Duration(version, rows, seconds)]


def test_before_the_first_inference_the_warm_up_says_how_long_a_row_takes(served: ServedModel) -> None:
    paces = Paces()
    assert [paces.rows(served, seconds) for seconds in (-1.0, 0.25, 1.2)] == [0, 0, 2]
    assert [paces.is_slow(served, seconds) for seconds in (0.4, 0.6)] == [True, False]
    paces.measured(served, took(served.versions[0], 10, 0.1))
    assert paces.rows(served, 1.0) == 100
    assert [paces.is_slow(served, seconds) for seconds in (0.005, 0.02)] == [True, False]


def test_a_pace_is_that_of_a_digest_and_outlives_a_revision(
    served: ServedModel, version: Callable[..., LoadedVersion]
) -> None:
    paces, other = Paces(), replace(version(2, 2.0), row_seconds=0.5)
    paces.measured(served, took(served.versions[0], 10, 0.1))
    assert paces.rows(replace(served, revision=2), 1.0) == 100, "the same version has the same pace"
    swapped = replace(served, versions=(other,), revision=3)
    assert paces.rows(swapped, 1.2) == 2, "another version has another pace"
    paces.measured(swapped, took(other, 1, 0.1))
    assert paces.rows(served, 1.2) == 2, "what no longer serves is not kept"


def test_rows_that_are_refused_before_scoring_have_no_pace(served: ServedModel) -> None:
    paces = Paces()
    paces.measured(served, took(served.versions[0], 1, 1.0))
    invalid = _rows(served, [request(1, features={"distance": 1e39, "night": False})])
    inference = paces.infer(lambda found, rows: service.infer(found, rows, lambda: NOW), served, invalid)
    assert (list(inference.refused), inference.durations) == ([0], [])
    assert paces.is_slow(served, 0.9), "one invalid request does not make a slow model fast"


def test_durations_count_the_rows_that_a_version_has_scored(version: Callable[..., LoadedVersion]) -> None:
    values = [request(number) for number in range(40)]
    values[7] = request(7, features={"distance": 1e39, "night": False})
    for all_rows, by_other in ((True, 39), (False, 20)):
        rolling = beside(version, 0.5, all_rows=all_rows)
        inference = service.infer(rolling, _rows(rolling, values), lambda: NOW)
        rows = {each.version.model_version: each.rows for each in inference.durations}
        assert rows == {1: 39, 2: pytest.approx(by_other, abs=0 if all_rows else 9)}
        assert all(each.seconds > 0 for each in inference.durations)


def test_versions_count_by_their_shares(version: Callable[..., LoadedVersion]) -> None:
    fast, slow, idle = replace(version(), row_seconds=0.001), replace(version(2, 2.0), row_seconds=1.0), version(3, 3.0)
    served = ServedModel("delay", 1, (slow, fast, idle), (0.2, 3.8, 0.0))
    assert served.scoring_versions() == [(slow, 0.05), (fast, 0.95)]
    paces = Paces()
    assert paces.rows(served, 1.0) == int(1 / (0.05 + 0.95 * 0.001)), "the mean"
    assert paces.is_slow(served, 0.9), "the slowest version"
    paces.measured(served, took(fast, 100, 0.001))
    assert paces.is_slow(served, 0.9), "the pace of one version says nothing about another"
    paces.measured(served, took(slow, 1, 0.5))
    assert [paces.is_slow(served, seconds) for seconds in (0.4, 0.6)] == [True, False]


@pytest.mark.parametrize(("share", "all_rows", "parts"), [(0.5, True, 1.0), (0.5, False, 0.5), (0.0, True, 1.0)])
def test_what_two_compared_versions_take_adds_up(
    version: Callable[..., LoadedVersion],
    share: float,
    all_rows: bool,  # noqa: FBT001
    parts: float,
) -> None:
    def timed(*of: Any) -> LoadedVersion:
        return replace(version(*of), row_seconds=0.4)

    served = beside(timed, share, all_rows=all_rows)
    assert [(each.model_version, part) for each, part in served.scoring_versions()] == [(1, 1.0), (2, parts)]
    assert Paces().rows(served, 4.0) == int(4 / (0.4 + 0.4 * parts))
    assert [Paces().is_slow(served, seconds) for seconds in (0.7, 0.9)] == [True, False]


def test_no_row_is_begun_for_which_the_slowest_version_is_too_slow(version: Callable[..., LoadedVersion]) -> None:
    fast, slow = replace(version(), row_seconds=0.001), replace(version(2, 2.0), row_seconds=1.0)
    served = ServedModel("delay", 1, (slow, fast), (0.05, 0.95))
    parsed, until = _rows(served, [request(number) for number in range(9)]), pace.time.perf_counter() + 0.25
    _, done = Paces().infer_until(lambda found, rows: service.infer(found, rows, lambda: NOW), served, parsed, until)
    assert done == 0


def test_rows_that_the_cache_has_say_nothing_of_others(served: ServedModel) -> None:
    version, paces = served.versions[0], Paces()
    cache = AnswerCache("delay", version.outputs)
    cache.capacity = 10
    cached = replace(version, cache=cache)
    paces.measured(served, took(cached, 100, 0.001))
    assert paces.rows(replace(served, versions=(cached,)), 1.2) == 2


def test_slices_follow_the_pace_and_end_with_the_time(served: ServedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, sizes = [0.0], list[int]()
    monkeypatch.setattr(pace.time, "perf_counter", lambda: clock[0])
    parsed = _rows(served, [request(number) for number in range(100)])

    def infer(found: ServedModel, rows: Any) -> Any:
        sizes.append(len(rows))
        seconds = len(rows) * (0.1 if len(sizes) == 1 else 0.2)
        clock[0] += seconds
        inference = service.infer(found, rows, lambda: NOW)
        return replace(inference, durations=took(found.versions[0], len(rows), seconds))

    # The second slice takes twice as long as expected.
    inference, done = Paces().infer_until(infer, served, parsed, 4.0)
    assert (sizes, done) == ([8, 32], 40), "8 by the warm-up, then what fits by what was measured"
    assert sorted(number for scored in inference.scored for number in scored.numbers) == list(range(done))
    everything, all_rows = Paces().infer_until(infer, served, parsed, 1e9)
    assert all_rows == 100
    assert [len(scored.numbers) for scored in everything.scored] == [100]


def _rows(served: ServedModel, values: Sequence[bytes]) -> Any:
    [group] = ServingTable({"delay": served}).parser.parse(values).groups
    return group.rows
