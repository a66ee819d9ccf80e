"""Rollback: the version that takes over, and the events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rondo.contracts.events.deployment import DeploymentChanged, ReplicaChanged
from rondo.contracts.events.models import ModelRolledBack
from rondo.registry.errors import (
    AlreadyChampionError,
    NeverServedError,
    NothingToRollBackToError,
    UnknownVersionError,
)
from rondo.registry.model.model import Actor, Decision, Model
from rondo.registry.rollout import rollback

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec

ModelAfter = Callable[[str], Model]
ANA = Actor("ana", "it looks odd")


def states(model: Model) -> dict[int, str]:
    return {number: version.state for number, version in model.versions.items()}


def kinds(decision: Decision) -> list[type]:
    return [type(event) for event in decision.events]


def refusal(replica: str) -> ReplicaChanged:
    return ReplicaChanged(
        model="late", replica=replica, model_version=2, digest=f"sha256:{'a' * 64}", revision=2, state="refused",
        detail=f"{replica} has no disk", at=datetime(2013, 3, 1, tzinfo=UTC),
    )  # fmt: skip


def test_rollback_goes_to_the_previous_version_and_further(model_after: ModelAfter) -> None:
    decision = rollback.roll_back(model_after("ppp"), None, ANA)
    assert kinds(decision) == [ModelRolledBack, DeploymentChanged]
    assert states(decision.after) == {1: "retired", 2: "champion", 3: "rolled_back"}
    assert decision.after.revision == 4
    again = rollback.roll_back(decision.after, None, ANA).after
    assert states(again) == {1: "champion", 2: "rolled_back", 3: "rolled_back"}
    with pytest.raises(NothingToRollBackToError) as refused:
        rollback.roll_back(again, None, ANA)
    assert refused.value.rolled_back == (2, 3)
    assert states(rollback.roll_back(again, 3, ANA).after) == {1: "rolled_back", 2: "rolled_back", 3: "champion"}


def test_rollback_by_number(model_after: ModelAfter, spec: ModelSpec) -> None:
    model = model_after("pfp")
    assert rollback.roll_back(model, 1, ANA).after.served == (1, 3, 1)
    with pytest.raises(NeverServedError):
        rollback.roll_back(model, 2, ANA)
    with pytest.raises(AlreadyChampionError):
        rollback.roll_back(model, 3, ANA)
    with pytest.raises(UnknownVersionError):
        rollback.roll_back(model, 9, ANA)
    with pytest.raises(NothingToRollBackToError):
        rollback.roll_back(Model("late", spec, 1), None, ANA)


def test_the_reason_names_every_replica_that_refuses() -> None:
    assert rollback.actor_of_refusals([refusal("serving-0")]) == Actor(
        "registry", "replica serving-0 refused version 2: serving-0 has no disk"
    )
    assert rollback.actor_of_refusals([refusal("serving-0"), refusal("serving-1")]).reason == (
        "replicas serving-0, serving-1 refused version 2: serving-0 has no disk"
    )


def test_a_model_without_a_champion_is_not_rolled_back(model_after: ModelAfter, spec: ModelSpec) -> None:
    with pytest.raises(NothingToRollBackToError):
        rollback.roll_back_to(Model("late", spec, 1), model_after("p").version(1), ANA)


def test_a_version_with_the_champions_artifact_is_nothing_to_go_back_to(model_after: ModelAfter) -> None:
    model = model_after("ppp")
    twin = replace(model.version(2), digest=model.version(3).digest)
    model = replace(model, versions={**model.versions, 2: twin})
    assert rollback.previous(model) == model.version(1)
