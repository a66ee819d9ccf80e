"""Serving handles every event of a newer release with unknown vocabulary words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.chassis.artifacts import Artifacts
from rondo.chassis.security.token_cache import TokenCache
from rondo.contracts.access_tokens import Role, mint
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.predictions import PredictionRequested
from rondo.serving.deployments.loader import ArtifactLoader
from rondo.serving.handlers import on_deployment_changed

from tests.serving.fakes import deployment, replica, route, serving
from tests.support.unknown_words import WORD, example_of, with_unknown_words

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(UTC)


async def test_a_deployment_with_an_unknown_role_is_refused_and_the_old_one_serves() -> None:
    mine, loader, events = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    event = with_unknown_words(DeploymentChanged, model="delay", revision=2)
    assert {each.role for each in event.routes} == {WORD}
    await on_deployment_changed(Envelope("e2", "rondo/registry", NOW, event), mine)
    assert (serving(mine), loader.loaded, events.states[-1][0]) == ([1], [1], "refused")
    assert WORD in events.details[-1]


async def test_an_unknown_role_of_a_token_grants_nothing_and_the_others_count() -> None:
    cache = TokenCache()
    credential, seed = mint("robot", [Role.PREDICTOR])
    event = seed.created(NOW)
    newer = event.model_copy(update={"roles": (WORD, Role.PREDICTOR.value)})
    await cache.on_token_changed(Envelope("t1", "rondo/registry", NOW, newer))
    cache.completed()
    principal = await cache.authenticate(credential)
    assert [role for role in Role if principal.has(role)] == [Role.PREDICTOR]


def test_a_request_has_no_vocabulary() -> None:
    assert with_unknown_words(PredictionRequested).model_dump(mode="json") == PredictionRequested.model_validate(
        example_of(PredictionRequested)
    ).model_dump(mode="json")


async def test_a_version_with_a_feature_of_an_unknown_type_is_refused_and_the_old_one_serves(tmp_path: Path) -> None:
    mine, _, events = replica()
    await on_deployment_changed(deployment(1, route(1)), mine)
    features = with_unknown_words(DeploymentChanged).routes[0].features
    assert {each.type for each in features.values()} == {WORD}
    later = replace(mine, loader=ArtifactLoader(Artifacts(str(tmp_path)), 1))
    await on_deployment_changed(deployment(2, route(2, **features)), later)
    assert (serving(mine), events.states[-1]) == ([1], ("refused", 2))
    name = next(iter(features))
    assert events.details[-1] == (
        f"version 2 of delay is refused: its feature {name} has the type '{WORD}', which this release of serving does "
        "not know: upgrade serving"
    )
