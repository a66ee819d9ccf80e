"""The reconciler applies the latest deployment of each model, and retries while a dependency is unavailable."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from rondo.chassis.errors import Backoff
from rondo.serving.deployments.pending import PendingDeployments
from rondo.serving.deployments.reconciler import Reconciler
from rondo.serving.handlers import Replica, on_deployment_changed

from tests.serving.fakes import deployment, replica, route, serving


def applying(replica: Replica) -> Any:
    return partial(on_deployment_changed, replica=replica)


async def test_replaced_deployments_are_skipped_and_unavailable_ones_retried() -> None:
    mine, loader, events = replica()
    loader.unavailable = 2
    reconciler = Reconciler(applying(mine), PendingDeployments(), Backoff(first=0.001))
    for revision in (1, 2, 3):
        await reconciler.add(deployment(revision, route(revision)))
    caught_up = asyncio.Event()
    task = asyncio.create_task(reconciler.run(caught_up))
    caught_up.set()
    await reconciler.idle()
    assert (serving(mine), loader.loaded) == ([3], [3])
    assert events.states[-1] == ("available", 3)
    await reconciler.check()
    task.cancel()


async def test_the_highest_revision_is_applied_whatever_the_order() -> None:
    mine, loader, _ = replica()
    reconciler, caught_up = Reconciler(applying(mine), PendingDeployments()), asyncio.Event()
    for revision in (1, 3, 2):
        await reconciler.add(deployment(revision, route(revision)))
    task = asyncio.create_task(reconciler.run(caught_up))
    caught_up.set()
    await reconciler.idle()
    assert (serving(mine), loader.loaded) == ([3], [3])
    task.cancel()
