"""Replica reports and their timeout, on the store in memory and on real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from rondo.registry.errors import UnknownModelError
from rondo.registry.rollout.report_timeout import TIMEOUT_SECONDS, ReportTimeout

from tests.registry.scenarios import apply, audit_of, handle, published_types, replica_report, states

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.spec.model import ModelSpec

    from tests.registry.scenarios import Backend

Make = Callable[..., Any]


async def two_versions(store: Backend, spec: ModelSpec, trained: Make) -> str:
    """Make version 2 the champion as revision 2, and return its digest."""
    await apply(store, spec)
    await handle(store, trained("run-1", auc=0.7), "t1")
    await handle(store, trained("run-2", auc=0.8, champion=(1, 0.7)), "t2")
    return (await store.model("late")).routes[0].digest


async def test_a_champion_that_every_replica_refuses_is_rolled_back_once(
    store: Backend, spec: ModelSpec, trained: Make, day: datetime
) -> None:
    digest = await two_versions(store, spec, trained)
    for replica, state in (("a", "available"), ("a", "refused"), ("b", "refused")):
        await handle(store, replica_report(replica, state, 2, 2, digest, day), f"{replica}-{state}")
    assert (await published_types(store)).count("ModelRolledBack") == 1
    assert (await store.model("late")).served == (1, 2, 1)
    unknown = replica_report("a", "refused", 1, 1, digest, day).model_copy(update={"model": "gone"})
    await handle(store, unknown, "unknown")


async def test_a_champion_that_one_replica_serves_stays_though_another_refuses_it(
    store: Backend, spec: ModelSpec, trained: Make, day: datetime
) -> None:
    digest = await two_versions(store, spec, trained)
    await handle(store, replica_report("b", "available", 2, 2, digest, day), "b2")
    await handle(store, replica_report("a", "refused", 2, 2, digest, day), "a2")
    model = await store.model("late")
    assert (model.revision, model.champion.number if model.champion else None) == (2, 2)


async def test_a_refusal_is_audited_with_its_outcome(
    store: Backend, spec: ModelSpec, trained: Make, day: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    digest = await two_versions(store, spec, trained)
    await handle(store, replica_report("b", "available", 2, 2, digest, day), "b2")
    for n in range(3):  # a replica that restarts repeats its reports
        await handle(store, replica_report("a", "loading", 2, 2, digest, day), f"loading-{n}")
        await handle(store, replica_report("a", "refused", 2, 2, digest, day), f"refused-{n}")
    records = await audit_of(store, "late")
    (audited,) = [json.loads(r.evidence) for r in records if r.action == "refused"]
    assert (audited["replica"], audited["outcome"], audited["why"], audited["detail"]) == (
        "a", "keep", "it is available at b: repair the replica that refuses it", "its folder is empty",
    )  # fmt: skip
    (error,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert error.getMessage() == (
        "late: replica a refused version 2: its folder is empty; "
        "it is available at b: repair the replica that refuses it"
    )


async def test_the_latest_reports_can_be_queried(store: Backend, spec: ModelSpec, trained: Make, day: datetime) -> None:
    digest = await two_versions(store, spec, trained)
    for replica, state, version, revision in (("a", "available", 1, 1), ("a", "refused", 2, 2), ("b", "loading", 2, 2)):
        await handle(store, replica_report(replica, state, version, revision, digest, day), f"{replica}{version}")
    assert [(w.replica, w.state, w.model_version) for w in await store.replica_reports("late")] == [
        ("a", "available", 1), ("a", "refused", 2), ("b", "loading", 2),
    ]  # fmt: skip
    with pytest.raises(UnknownModelError):
        await store.replica_reports("gone")


async def test_missing_reports_are_waited_for_until_the_timeout(
    store: Backend, spec: ModelSpec, trained: Make, day: datetime
) -> None:
    digest = await two_versions(store, spec, trained)
    await handle(store, replica_report("gone", "available", 1, 1, digest, day), "gone")
    await handle(store, replica_report("a", "refused", 2, 2, digest, day), "a2")
    now = [100.0]
    replicas = [ReportTimeout(store, store, lambda: now[0]) for _ in range(2)]
    for passed in (0, TIMEOUT_SECONDS - 1):
        now[0] = 100 + passed
        for replica in replicas:
            await replica.tick()
        assert (await store.model("late")).revision == 2
    now[0] += 1
    await asyncio.gather(*(replica.tick() for replica in replicas))
    assert await states(store) == {1: "champion", 2: "rolled_back"}
    assert (await published_types(store)).count("ModelRolledBack") == 1
    assert [w.replica for w in await store.replica_reports("late")] == ["a"]


async def test_a_report_in_time_keeps_the_champion(
    store: Backend, spec: ModelSpec, trained: Make, day: datetime
) -> None:
    digest = await two_versions(store, spec, trained)
    await handle(store, replica_report("b", "available", 1, 1, digest, day), "b1")
    await handle(store, replica_report("a", "refused", 2, 2, digest, day), "a2")
    now = [0.0]
    timeout = ReportTimeout(store, store, lambda: now[0])
    await timeout.tick()
    await handle(store, replica_report("b", "available", 2, 2, digest, day), "b2")
    now[0] = TIMEOUT_SECONDS
    await timeout.tick()
    assert (await store.model("late")).revision == 2


async def test_the_only_version_stays_however_long_it_is_refused(
    store: Backend, spec: ModelSpec, trained: Make, day: datetime
) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", auc=0.7), "t1")
    digest = (await store.model("late")).routes[0].digest
    await handle(store, replica_report("a", "refused", 1, 1, digest, day), "a1")
    now = [0.0]
    timeout = ReportTimeout(store, store, lambda: now[0])
    for _ in range(3):
        await timeout.tick()
        now[0] += TIMEOUT_SECONDS
    assert await states(store) == {1: "champion"}
    assert (await published_types(store)).count("DeploymentChanged") == 1
