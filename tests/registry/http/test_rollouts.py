"""Rollouts over HTTP: that of a model, the active ones, and decisions about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.access_tokens import Role
from rondo.registry.rollout.controller import RolloutController

from tests.registry.rollout.scenario import CANARY
from tests.registry.scenarios import FakeArtifacts, OnPostgres, handle
from tests.support.access import bearer

if TYPE_CHECKING:
    import httpx
    from rondo.chassis.postgres.pool import Database

Make = Callable[..., Any]
ROLLOUT = "/v1/models/late/rollout"


@pytest.fixture
async def rolling(
    client: httpx.AsyncClient, registry_database: Database, spec_text: str, trained: Make
) -> httpx.AsyncClient:
    """Return a client of a registry in which a rollout of version 2 has begun."""
    store = OnPostgres(registry_database)
    await client.put("/v1/specs", content=f"{spec_text}rollout: {CANARY}\n")
    spec = (await store.model("late")).spec
    await handle(store, trained("run-1", spec=spec), "t1")
    await handle(store, trained("run-2", champion=(1, 0.7), spec=spec), "t2")
    await RolloutController(store, store, FakeArtifacts()).tick()
    return client


async def test_rollouts_are_shown_and_decided(rolling: httpx.AsyncClient) -> None:
    (listed,) = (await rolling.get("/v1/rollouts")).json()["rollouts"]
    assert (listed["model"], listed["candidate"], listed["state"]) == ("late", 2, "running")
    shown = (await rolling.get(ROLLOUT)).json()
    assert listed.items() <= shown.items()
    assert [each["action"] for each in shown["decisions"]] == ["rollout_began"]
    decided = []
    for action in ("pause", "resume", "promote", "abort"):
        answer = await rolling.post(f"{ROLLOUT}/{action}", json={"reason": action}, headers=bearer(Role.APPROVER))
        assert answer.status_code == 200
        last = answer.json()["decisions"][-1]
        decided.append((answer.json()["state"], last["by"], last["reason"], last["share"]))
    assert decided == [
        ("paused", "approver", "pause", 0.1),
        ("running", "approver", "resume", 0.1),
        ("watching", "approver", "promote", 1.0),
        ("aborted", "approver", "abort", 0.0),
    ]
    assert (await rolling.get("/v1/rollouts")).json() == {"rollouts": []}
    again = await rolling.post(f"{ROLLOUT}/resume")
    assert (again.status_code, again.json()["code"]) == (404, "no_rollout")


async def test_a_decision_that_the_state_does_not_allow_is_refused(rolling: httpx.AsyncClient) -> None:
    refused = await rolling.post(f"{ROLLOUT}/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "rollout_state")
    assert (await rolling.post(f"{ROLLOUT}/hurry")).status_code == 422
