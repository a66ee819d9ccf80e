"""Following a deployment: what is loaded, swapped, unloaded; and what goes on serving when something is refused."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY
from rondo.chassis.errors import Backoff, UnavailableError
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import DeploymentChanged, Route
from rondo.contracts.spec.model import Feature
from rondo.serving.deployments import plan as lifecycle
from rondo.serving.deployments.pending import Arrivals
from rondo.serving.deployments.reconciler import Reconciler
from rondo.serving.errors import RequestRefusedError, VersionRefusedError
from rondo.serving.handlers import Replica, on_deployment_changed
from rondo.serving.inference.log_batch import Log
from rondo.serving.models.loaded_version import Version
from rondo.serving.models.table import Versions
from rondo.serving.requests.schema import Layout

FEATURES = {"a": Feature(type="float")}


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def route(number: int, share: float = 1, role: str = "primary", **features: Feature) -> Route:
    return Route(
        model_version=number,
        digest=digest(number),
        share=share,
        role=role,
        features=features or FEATURES,  # type: ignore[arg-type]
    )


def deployment(revision: int, *routes: Route, model: str = "delay") -> Envelope[DeploymentChanged]:
    event = DeploymentChanged(model=model, revision=revision, routes=routes)
    return Envelope(f"e{revision}", "rondo/registry", datetime.now(UTC), event)


class FakeLoader:
    """Loads everything but the versions it is told not to."""

    def __init__(self) -> None:
        self.refused: set[int] = set()
        self.away = 0
        self.loaded: list[int] = []

    async def load(self, model: str, wanted: Route) -> Version:
        if self.away:
            self.away -= 1
            raise UnavailableError("the artifact store", "asleep")
        if wanted.model_version in self.refused:
            raise VersionRefusedError(model, wanted.model_version, "its artifact is missing; train again")
        self.loaded.append(wanted.model_version)
        log = Log(model, wanted.model_version, wanted.digest, wanted.features)
        scorer: Any = object()
        return Version(model, wanted.model_version, wanted.digest, Layout(model, wanted.features), scorer, log)


class FakeAnnouncer:
    """Remembers."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int]] = []
        self.details: list[str] = []

    async def announce(self, _: str, __: int, version: tuple[int, str], state: str, detail: str = "") -> None:
        self.said.append((state, version[0]))
        self.details += [detail] if detail else []


def replica() -> tuple[Replica, FakeLoader, FakeAnnouncer]:
    loader, announcer = FakeLoader(), FakeAnnouncer()
    return Replica(Versions(), loader, announcer), loader, announcer


def serving(replica: Replica) -> list[int]:
    return [version.model_version for version in replica.versions.current["delay"].versions]


def test_the_plan_loads_what_is_new_and_unloads_what_is_gone() -> None:
    plan = lifecycle.plan(deployment(2, route(2), route(3)).data, 1, {(1, digest(1)), (2, digest(2))})
    assert plan is not None
    assert [r.model_version for r in plan.load] == [3]
    assert plan.unload == ((1, digest(1)),)


def test_an_old_revision_asks_for_nothing() -> None:
    assert lifecycle.plan(deployment(2, route(2)).data, 2, set()) is None


async def test_a_new_version_is_available_before_the_old_one_drains() -> None:
    mine, _, announcer = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    await on_deployment_changed(deployment(2, route(2)), mine)
    assert serving(mine) == [2]
    assert announcer.said == [
        ("loading", 1), ("available", 1),
        ("loading", 2), ("available", 2), ("draining", 1), ("unloaded", 1),
    ]  # fmt: skip


async def test_a_refused_version_leaves_the_old_one_serving_and_says_why() -> None:
    mine, loader, announcer = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    loader.refused = {2}
    await on_deployment_changed(deployment(2, route(2)), mine)
    assert serving(mine) == [1]
    assert announcer.said[-1] == ("refused", 2)
    assert announcer.details == ["version 2 of delay is refused: its artifact is missing; train again"]
    await on_deployment_changed(deployment(3, route(1)), mine)  # the registry rolled back
    assert (serving(mine), loader.loaded) == ([1], [1])


def refused_version() -> float | None:
    return REGISTRY.get_sample_value("rondo_refused_version", {"model": "delay"})


async def test_a_refusal_is_a_gauge_until_a_deployment_is_followed() -> None:
    mine, loader, _ = replica()
    loader.refused = {2, 3}
    for revision, number, told in ((1, 1, 0), (2, 2, 2), (3, 3, 3), (4, 1, 0), (5, 2, 2)):
        await on_deployment_changed(deployment(revision, route(number)), mine)
        assert refused_version() == told
    await on_deployment_changed(deployment(6), mine)  # withdrawn
    assert refused_version() == 0


async def test_a_deployment_that_cannot_be_followed_is_refused() -> None:
    mine, _, announcer = replica()
    await on_deployment_changed(deployment(1, route(1, share=0)), mine)
    await on_deployment_changed(deployment(2, route(1, 0.5), route(2, 0.5, b=Feature(type="bool"))), mine)
    await on_deployment_changed(deployment(3, route(1), route(2, role="shadow")), mine)
    assert mine.versions.current == {}
    assert "its role is shadow" in announcer.details[2]
    assert announcer.said[2] == ("refused", 2)
    assert "no route with a share above zero answers requests: deploy a champion" in announcer.details[0]
    assert "its routes have different features" in announcer.details[1]
    assert "its role is shadow" in mine.versions.unserved["delay"]


async def test_a_deployment_with_a_role_of_a_newer_release_is_refused_and_what_serves_stays() -> None:
    mine, _, announcer = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    await on_deployment_changed(deployment(2, route(1), route(2, role="from-the-future")), mine)
    assert (serving(mine), announcer.said[-1]) == ([1], ("refused", 2))


async def test_a_deployment_without_routes_withdraws_the_model() -> None:
    mine, _, announcer = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    await on_deployment_changed(deployment(3), mine)
    assert mine.versions.current == {}
    assert announcer.said[-2:] == [("draining", 1), ("unloaded", 1)]
    with pytest.raises(RequestRefusedError, match="delay was withdrawn: no version answers; ask its owner to promote"):
        mine.versions.find("delay")
    await on_deployment_changed(deployment(2, route(2)), mine)  # old news, read again
    assert mine.versions.current == {}
    await on_deployment_changed(deployment(4, route(2)), mine)
    assert serving(mine) == [2]


async def test_a_deployment_without_routes_of_a_model_that_never_served_is_followed() -> None:
    mine, _, announcer = replica()
    await on_deployment_changed(deployment(1), mine)
    assert (mine.versions.current, announcer.said) == ({}, [])
    assert "delay was withdrawn" in mine.versions.unserved["delay"]


async def test_a_deployment_that_cannot_be_followed_is_known_before_anything_is_loaded() -> None:
    mine, loader, announcer = replica()
    await on_deployment_changed(deployment(1, route(1, 0.5), route(2, 0.5, b=Feature(type="bool"))), mine)
    assert (loader.loaded, announcer.said) == ([], [("refused", 1)])


async def test_the_old_version_stays_until_its_last_lease_ends() -> None:
    mine, _, announcer = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    release, held = threading.Event(), threading.Event()

    def hold() -> None:
        with mine.versions.lease() as table:
            held.set()
            release.wait(10)
            assert [v.model_version for v in table.models["delay"].versions] == [1]

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    follow = asyncio.create_task(on_deployment_changed(deployment(2, route(2)), mine))
    while ("draining", 1) not in announcer.said:  # noqa: ASYNC110 - the fake has nothing to await
        await asyncio.sleep(0)
    assert serving(mine) == [2]
    assert ("unloaded", 1) not in announcer.said
    release.set()
    await follow
    assert announcer.said[-1] == ("unloaded", 1)
    thread.join()


async def test_the_reconciler_skips_what_was_replaced_and_waits_for_what_is_away() -> None:
    mine, loader, announcer = replica()
    loader.away = 2
    reconciler = Reconciler(mine, Arrivals(), Backoff(first=0.001))
    for revision in (1, 2, 3):
        await reconciler.take(deployment(revision, route(revision)))
    caught_up = asyncio.Event()
    task = asyncio.create_task(reconciler.run(caught_up))
    caught_up.set()
    await reconciler.settled()
    assert (serving(mine), loader.loaded) == ([3], [3])
    assert announcer.said[-1] == ("available", 3)
    await reconciler.check()
    task.cancel()


async def test_the_highest_revision_is_followed_whatever_the_order() -> None:
    mine, loader, _ = replica()
    reconciler, caught_up = Reconciler(mine, Arrivals()), asyncio.Event()
    for revision in (1, 3, 2):
        await reconciler.take(deployment(revision, route(revision)))
    task = asyncio.create_task(reconciler.run(caught_up))
    caught_up.set()
    await reconciler.settled()
    assert (serving(mine), loader.loaded) == ([3], [3])
    task.cancel()


async def test_a_model_on_its_way_is_waited_for_once_and_the_next_deployment_again() -> None:
    arrivals = Arrivals()
    arrivals.expect("delay", 1)
    assert arrivals.worth_waiting_for({"delay", "price"}) == {"delay"}
    await asyncio.to_thread(arrivals.wait_once, {"delay"}, 0.01)
    assert arrivals.worth_waiting_for({"delay"}) == frozenset()
    arrivals.expect("delay", 2)
    assert arrivals.worth_waiting_for({"delay"}) == {"delay"}
    waiting = asyncio.create_task(asyncio.to_thread(arrivals.wait_once, {"delay"}, 60))
    await asyncio.sleep(0)
    arrivals.settled("delay")
    await waiting
    assert arrivals.worth_waiting_for({"delay"}) == frozenset()


async def test_a_stop_waits_for_no_model_and_refuses_nobody_who_asked_for_it() -> None:
    arrivals = Arrivals()
    arrivals.expect("delay", 1)
    waiting = asyncio.create_task(asyncio.to_thread(arrivals.wait_once, {"delay"}, 60))
    await asyncio.sleep(0)
    await arrivals.stop()
    with pytest.raises(UnavailableError, match=r"delay is not available \(serving stops\)"):
        await waiting
