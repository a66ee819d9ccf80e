"""Deployments: versions that are loaded, swapped and unloaded, and those that continue to serve after a refusal."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY
from rondo.contracts.spec.model import Feature
from rondo.contracts.tasks.base import FittedTask, Interval
from rondo.serving.errors import RequestRefusedError
from rondo.serving.handlers import on_deployment_changed

from tests.serving.builders import BINARY, INTERVAL, REGRESSION, TEXTS
from tests.serving.fakes import FEATURES, MISSING, deployment, replica, route, serving

if TYPE_CHECKING:
    from rondo.contracts.events.deployment import Route


def refused_version() -> float | None:
    return REGISTRY.get_sample_value("rondo_refused_version", {"model": "delay"})


def classes(labels: str) -> FittedTask:
    return FittedTask(task="multiclass", labels=tuple(labels))


async def test_a_new_version_is_available_before_the_old_one_drains() -> None:
    mine, _, events = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    await on_deployment_changed(deployment(2, route(2)), mine)
    assert serving(mine) == [2]
    assert events.states == [
        ("loading", 1), ("available", 1),
        ("loading", 2), ("available", 2), ("draining", 1), ("unloaded", 1),
    ]  # fmt: skip


async def test_a_refused_version_leaves_the_old_one_serving_and_publishes_why() -> None:
    mine, loader, events = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    loader.refused = {2}
    await on_deployment_changed(deployment(2, route(2)), mine)
    assert serving(mine) == [1]
    assert events.states[-1] == ("refused", 2)
    assert [detail.partition(" is refused")[0] for detail in events.details] == ["version 2 of delay"]
    assert events.details[0].endswith(MISSING)
    await on_deployment_changed(deployment(3, route(1)), mine)  # the registry rolled back
    assert (serving(mine), loader.loaded) == ([1], [1])


@pytest.mark.medium
async def test_a_refusal_is_a_gauge_until_a_deployment_is_followed() -> None:
    mine, loader, _ = replica()
    loader.refused = {2, 3}
    for revision, number, gauge in ((1, 1, 0), (2, 2, 2), (3, 3, 3), (4, 1, 0), (5, 2, 2)):
        await on_deployment_changed(deployment(revision, route(number)), mine)
        assert refused_version() == gauge
    await on_deployment_changed(deployment(6), mine)  # withdrawn
    assert refused_version() == 0


async def test_a_deployment_that_cannot_be_followed_is_refused() -> None:
    mine, _, events = replica()
    await on_deployment_changed(deployment(1, route(1, share=0)), mine)
    await on_deployment_changed(deployment(2, route(1, 0.5), route(2, 0.5, a=Feature(type="bool"))), mine)
    await on_deployment_changed(deployment(3, route(1), route(2, role="shadow")), mine)
    assert mine.models.table.models == {}
    assert "shadow" in events.details[2]
    assert events.states[2] == ("refused", 2)
    assert "share" in events.details[0]
    assert "1 and 2" in events.details[1]
    assert "shadow" in mine.models.table.unserved["delay"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (BINARY, REGRESSION, "it answers value, and version 1 score, label"),
        (REGRESSION, INTERVAL, "it answers value, low, high, and version 1 value"),
        (BINARY, TEXTS, "its labels differ: it alone has 'on time', 'verspätet', version 1 alone has 0, 1"),
        (classes("abc"), classes("abcdefghij"), "it alone has 'd', 'e', 'f', 'g', 'h' and 2 more; versions"),
        (classes("abc"), classes("ab"), "its labels differ: version 1 alone has 'c'; versions that share a model's"),
        (classes("ab"), classes("ba"), "their order is another"),
    ],
)
async def test_versions_that_answer_otherwise_share_no_traffic(
    first: FittedTask, second: FittedTask, expected: str
) -> None:
    mine, loader, events = replica()
    loader.tasks = {1: first, 2: second}
    await on_deployment_changed(deployment(1, route(1)), mine)
    await on_deployment_changed(deployment(2, route(1, 0.9), route(2, 0.1, role="canary")), mine)
    assert (serving(mine), events.states[-1]) == ([1], ("refused", 2))
    assert expected in events.details[0]
    alike = "versions that share a model's traffic must answer alike: train again with the spec in force"
    assert events.details[0].endswith(alike)
    await on_deployment_changed(deployment(3, route(2)), mine)
    assert serving(mine) == [2], "alone it may answer otherwise than the version before it"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (BINARY, BINARY.model_copy(update={"threshold": 0.1})),
        (INTERVAL, INTERVAL.model_copy(update={"interval": Interval(coverage=0.5, half_width=1.0)})),
    ],
    ids=["threshold", "coverage"],
)
async def test_versions_with_another_threshold_or_coverage_share_the_traffic(
    first: FittedTask, second: FittedTask
) -> None:
    mine, loader, _ = replica()
    loader.tasks = {1: first, 2: second}
    await on_deployment_changed(deployment(1, route(1, 0.9), route(2, 0.1, role="canary")), mine)
    assert serving(mine) == [1, 2]


async def test_the_log_of_a_version_has_the_role_that_the_deployment_gives_it() -> None:
    mine, loader, _ = replica()
    for revision, routes in enumerate(
        ([route(1)], [route(1, 0.9), route(2, 0.1, role="canary")], [route(1, 0.1, role="canary"), route(2, 0.9)]), 1
    ):
        await on_deployment_changed(deployment(revision, *routes), mine)
        served = mine.models.table.find("delay")
        assert [(v.model_version, v.log.role) for v in served.versions] == [(r.model_version, r.role) for r in routes]
    assert loader.loaded == [1, 2], "a change of roles loads nothing"


async def test_an_unknown_route_role_is_refused_and_the_present_version_serves() -> None:
    mine, _, events = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    await on_deployment_changed(deployment(2, route(1), route(2, role="from-the-future")), mine)
    assert (serving(mine), events.states[-1]) == ([1], ("refused", 2))


async def test_a_deployment_may_change_whether_unknown_fields_are_ignored_without_loading_again() -> None:
    mine, loader, _ = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    for revision, ignored in ((2, True), (3, True), (4, False)):
        changed = route(1).model_copy(update={"ignore_unknown_fields": ignored})
        await on_deployment_changed(deployment(revision, changed), mine)
        (version,) = mine.models.table.models["delay"].versions
        assert version.schema.ignore_unknown is ignored
    assert loader.loaded == [1]


@pytest.mark.parametrize(
    ("flag", "word", "unknown"),
    [(False, None, "refuse"), (True, None, "ignore"), (True, "warn", "warn"), (True, "from-the-future", "ignore")],
)
async def test_a_deployment_says_what_becomes_of_unknown_fields_in_old_words_and_new_ones(
    flag: bool,  # noqa: FBT001
    word: str | None,
    unknown: str,
) -> None:
    mine, loader, _ = replica()
    changed = route(1).model_copy(update={"ignore_unknown_fields": flag, "unknown_fields": word})
    await on_deployment_changed(deployment(1, route(1)), mine)
    await on_deployment_changed(deployment(2, changed), mine)
    assert mine.models.table.models["delay"].versions[0].schema.unknown == unknown
    assert loader.loaded == [1]


async def test_a_deployment_may_change_when_answers_are_sent_and_an_unknown_word_waits_for_the_log() -> None:
    mine, loader, _ = replica()
    for revision, word in enumerate(("acknowledged", "buffered", "from-the-future"), start=1):
        await on_deployment_changed(deployment(revision, route(1).model_copy(update={"log": word})), mine)
        assert mine.models.table.models["delay"].log_buffered is (word == "buffered")
    assert loader.loaded == [1]


async def test_a_deployment_may_change_how_many_answers_are_kept_without_loading_again() -> None:
    mine, loader, _ = replica()
    for revision, rows in enumerate((0, 5, 0), start=1):
        changed = route(1).model_copy(update={"answer_cache_rows": rows})
        await on_deployment_changed(deployment(revision, changed), mine)
        assert mine.models.table.models["delay"].versions[0].cache.capacity == rows
    assert loader.loaded == [1]


async def test_a_deployment_may_change_for_how_long_requests_are_deduplicated_without_loading_again() -> None:
    mine, loader, _ = replica()
    for revision, window in enumerate((None, timedelta(minutes=10), None), start=1):
        changed = route(1).model_copy(update={"deduplicate": window})
        await on_deployment_changed(deployment(revision, changed), mine)
        assert mine.models.table.models["delay"].deduplicate == window
        assert mine.models.table.windows == ({} if window is None else {"delay": 600.0})
    assert loader.loaded == [1]


async def test_a_deployment_without_routes_withdraws_the_model() -> None:
    mine, _, events = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    await on_deployment_changed(deployment(3), mine)
    assert mine.models.table.models == {}
    assert events.states[-2:] == [("draining", 1), ("unloaded", 1)]
    with pytest.raises(
        RequestRefusedError,
        match="delay was withdrawn: no version answers; ask its owner to promote one, after `rondo apply`",
    ):
        mine.models.table.find("delay")
    await on_deployment_changed(deployment(2, route(2)), mine)  # an old event, read again
    assert mine.models.table.models == {}
    await on_deployment_changed(deployment(4, route(2)), mine)
    assert serving(mine) == [2]


async def test_a_deployment_without_routes_of_a_model_that_never_served_is_followed() -> None:
    mine, _, events = replica()
    await on_deployment_changed(deployment(1), mine)
    assert (mine.models.table.models, events.states) == ({}, [])
    assert "delay was withdrawn" in mine.models.table.unserved["delay"]


async def test_a_deployment_that_cannot_be_followed_is_known_before_anything_is_loaded() -> None:
    mine, loader, events = replica()
    await on_deployment_changed(deployment(1, route(1, 0.5), route(2, 0.5, a=Feature(type="bool"))), mine)
    assert (loader.loaded, events.states) == ([], [("refused", 2)])


async def test_a_candidate_with_another_feature_becomes_the_champion_without_being_loaded_again() -> None:
    mine, loader, events = replica()
    own = FEATURES | {"b": Feature(type="bool")}
    await on_deployment_changed(deployment(1, route(1)), mine)
    canary, before = route(2, 0.1, role="canary", **own), route(1, 0.9)
    await on_deployment_changed(deployment(2, canary, before, evidence="all"), mine)
    served = mine.models.table.find("delay")
    assert (list(served.schema.features), served.schema.needed_by) == (["a", "b"], {"b": 2})
    scorer = served.versions[0].scorer
    await on_deployment_changed(deployment(3, route(2, **own), route(1, 0, role="shadow"), evidence="all"), mine)
    promoted = mine.models.table.find("delay").versions[0]
    assert (promoted.log.role, promoted.scorer is scorer) == ("primary", True)
    await on_deployment_changed(deployment(4, route(2, **own)), mine)
    alone = mine.models.table.find("delay")
    assert (alone.common, alone.versions[0].takes_part, alone.versions[0].scorer is scorer) == (None, False, True)
    assert loader.loaded == [1, 2]
    assert [state for state, number in events.states if number == 2] == ["loading"] + ["available"] * 3


async def test_the_way_back_within_the_rollback_window_loads_nothing() -> None:
    mine, loader, events = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    before = mine.models.table.find("delay").versions[0].scorer
    await on_deployment_changed(deployment(2, route(2, 0.1, role="canary"), route(1, 0.9), evidence="all"), mine)
    await on_deployment_changed(deployment(3, route(2), route(1, 0, role="shadow"), evidence="all"), mine)
    assert serving(mine) == [2, 1]
    await on_deployment_changed(deployment(4, route(1)), mine)
    (back,) = mine.models.table.find("delay").versions
    assert (back.model_version, back.log.role, back.scorer is before) == (1, "primary", True)
    assert loader.loaded == [1, 2]
    assert events.states[-1] == ("unloaded", 2)


async def test_the_old_version_stays_until_its_last_lease_ends() -> None:
    mine, _, events = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    release, held = threading.Event(), threading.Event()

    def hold() -> None:
        with mine.models.lease() as table:
            held.set()
            release.wait(10)
            assert [v.model_version for v in table.models["delay"].versions] == [1]

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    follow = asyncio.create_task(on_deployment_changed(deployment(2, route(2)), mine))
    while ("draining", 1) not in events.states:  # noqa: ASYNC110 - the fake has nothing to await
        await asyncio.sleep(0)
    assert serving(mine) == [2]
    assert ("unloaded", 1) not in events.states
    release.set()
    await follow
    assert events.states[-1] == ("unloaded", 1)
    thread.join()


async def test_a_rollout_has_both_versions_score_the_same_requests() -> None:
    mine, _, _ = replica()
    both = route(2, 0.05, role="canary"), route(1, 0.95)
    await on_deployment_changed(deployment(1, *both, evidence="all"), mine)
    compared = mine.models.table.find("delay").compared
    assert compared is not None
    assert (compared.primary.model_version, compared.other.model_version, compared.all_rows) == (1, 2, True)
    assert (compared.other.log.role, compared.silent.log.role) == ("canary", "shadow")
    await on_deployment_changed(deployment(2, *both, evidence="canary"), mine)
    narrower = mine.models.table.find("delay").compared
    assert narrower is not None
    assert not narrower.all_rows
    await on_deployment_changed(deployment(3, route(2)), mine)
    assert mine.models.table.find("delay").compared is None


async def test_a_shadow_is_loaded_for_a_rollout_alone() -> None:
    mine, _, events = replica()
    await on_deployment_changed(deployment(1, route(2, 0, role="shadow"), route(1), evidence="all"), mine)
    assert serving(mine) == [2, 1]
    assert [each.model_version for each in mine.models.table.find("delay").answering] == [1]
    await on_deployment_changed(deployment(2, route(2, 0, role="shadow"), route(1)), mine)
    assert events.states[-1] == ("refused", 2)


@pytest.mark.parametrize(
    "routes",
    [
        (route(1),),
        (route(1, 0.5), route(2, 0.5)),
        (route(1, 0.8), route(2, 0.1, role="canary"), route(3, 0.1, role="canary")),
    ],
)
async def test_a_rollout_compares_one_primary_with_one_other_version(routes: tuple[Route, ...]) -> None:
    mine, _, events = replica()
    await on_deployment_changed(deployment(1, *routes, evidence="all"), mine)
    assert events.states[-1][0] == "refused"
