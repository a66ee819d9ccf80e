"""A candidate that waits for the end of an earlier rollout, and candidates with other features."""

from __future__ import annotations

import json

import pytest
from rondo.contracts.spec.file import parse_spec
from rondo.contracts.tasks.base import FittedTask
from rondo.registry import commands

from tests.registry.rollout.scenario import CANARY, RolloutScenario
from tests.registry.scenarios import (
    ANA,
    apply,
    audit_of,
    published_types,
    states,
)


async def test_a_candidate_that_waits_begins_when_the_rollout_before_has_ended(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(spec_text, CANARY)
    await platform.train("run-3")
    await platform.train("run-4")
    await platform.tick()
    assert await states(platform.store) == {1: "champion", 2: "rolling_out", 3: "retired", 4: "waiting"}
    await platform.command("abort")
    await platform.tick()
    assert (await platform.rollout()).candidate == 4


async def test_a_version_that_waits_takes_over_at_once_where_the_spec_no_longer_asks_for_a_rollout(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(spec_text, CANARY)
    await platform.train("run-3")
    await apply(platform.store, parse_spec(spec_text))
    await platform.command("abort")
    await platform.tick()
    assert await platform.routes() == [(3, "primary", 1.0)]
    assert (await platform.rollout()).candidate == 2


async def test_a_version_that_waits_retires_when_a_newer_one_takes_over(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(spec_text, CANARY)
    await platform.train("run-3")
    await apply(platform.store, parse_spec(f"{_without_common_requests(spec_text)}rollout: {CANARY}\n"))
    await platform.train("run-4")
    await platform.tick()
    assert await states(platform.store) == {1: "standby", 2: "retired", 3: "retired", 4: "champion"}
    assert (await published_types(platform.store)).count("ModelRetired") == 2


async def test_a_version_that_waits_retires_where_no_request_fits_it_and_the_champion(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(spec_text, CANARY)
    await apply(platform.store, parse_spec(f"{_without_common_requests(spec_text)}rollout: {CANARY}\n"))
    for run in ("run-3", "run-4", "run-5"):
        await platform.train(run)
        await platform.tick()
    assert (await states(platform.store))[5] == "waiting"
    async with platform.store.work() as work:
        await commands.roll_back(work, "late", 1, ANA, None)
    await platform.tick()
    await platform.tick()
    assert (await states(platform.store))[5] == "retired"
    assert await platform.routes() == [(1, "primary", 1.0)]
    last = (await audit_of(platform.store, "late"))[-1]
    assert (last.action, json.loads(last.evidence)["version"]) == ("rollout_superseded", 5)


@pytest.mark.parametrize("strategy", ["canary", "replace"])
async def test_a_version_that_waits_retires_where_the_champion_has_its_artifact_by_then(
    platform: RolloutScenario, spec_text: str, strategy: str
) -> None:
    for run in ("run-1", "run-2"):
        await apply(platform.store, parse_spec(spec_text))
        await platform.train(run)
    await apply(platform.store, parse_spec(f"{spec_text}rollout: {CANARY}\n"))
    await platform.train("run-3")
    await platform.tick()
    digest = (await platform.store.model("late")).versions[1].digest
    await platform.train("run-4", digest=digest)
    assert (await states(platform.store))[4] == "waiting"
    async with platform.store.work() as work:
        await commands.roll_back(work, "late", 1, ANA, None)
    if strategy == "replace":
        await apply(platform.store, parse_spec(spec_text))
    await platform.tick()
    await platform.tick()
    assert (await states(platform.store))[4] == "retired"
    assert await platform.routes() == [(1, "primary", 1.0)]


def _without_common_requests(spec_text: str) -> str:
    return spec_text.replace("carrier: {type: category}", "carrier: {type: float}")


@pytest.mark.medium
async def test_a_candidate_with_another_feature_is_compared_with_the_champion(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(spec_text, "{strategy: replace}")
    another = spec_text.replace("features:\n", "features:\n  delay: {type: float}\n")
    await apply(platform.store, parse_spec(f"{another}rollout: {CANARY}\n"))
    await platform.train("run-3")
    await platform.tick()
    assert await platform.routes() == [(3, "canary", 0.1), (2, "primary", 0.9)]
    routes = (await platform.store.model("late")).routes
    assert [list(route.features) for route in routes] == [["delay", "carrier", "distance"], ["carrier", "distance"]]
    await platform.compare(-0.03)
    await platform.compare(-0.03)
    assert await platform.routes() == [(3, "primary", 1.0), (2, "shadow", 0.0)]


NAMED = FittedTask(task="binary", labels=("on time", "late"), threshold=0.5)


@pytest.mark.parametrize("strategy", ["canary", "blue_green", "shadow", "ab"])
async def test_a_candidate_that_answers_otherwise_takes_over_at_once_with_the_reason(
    platform: RolloutScenario, spec_text: str, strategy: str
) -> None:
    await platform.begin(spec_text, "{strategy: replace}")
    await apply(platform.store, parse_spec(f"{spec_text}rollout: {{strategy: {strategy}}}\n"))
    await platform.train("run-3", task=NAMED)
    await platform.tick()
    assert await states(platform.store) == {1: "retired", 2: "standby", 3: "champion"}
    assert await platform.routes() == [(3, "primary", 1.0)]
    last = (await audit_of(platform.store, "late"))[-1]
    assert (last.action, last.decided_by) == ("promoted", "registry")
    reason = json.loads(last.evidence)["reason"]
    assert all(label in reason for label in ("'on time'", "'late'", "version 2 alone has 0, 1"))
    # The next one answers as this one does, so it is compared.
    await platform.train("run-4", task=NAMED)
    await platform.tick()
    assert (await states(platform.store))[4] == "rolling_out"


async def test_a_candidate_that_no_request_fits_together_with_the_champion_takes_over_with_the_reason(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(spec_text, "{strategy: replace}")
    await apply(platform.store, parse_spec(f"{_without_common_requests(spec_text)}rollout: {CANARY}\n"))
    await platform.train("run-3")
    last = (await audit_of(platform.store, "late"))[-1]
    assert (last.action, "no request fits" in json.loads(last.evidence)["reason"]) == ("promoted", True)


async def test_a_version_that_waits_retires_where_the_champion_answers_otherwise_by_then(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(spec_text, "{strategy: replace}")
    await apply(platform.store, parse_spec(f"{spec_text}rollout: {CANARY}\n"))
    await platform.train("run-3", task=NAMED)
    await platform.train("run-4", task=NAMED)
    async with platform.store.work() as work:
        await commands.roll_back(work, "late", 2, ANA, None)
    await platform.tick()
    assert (await states(platform.store))[4] == "retired"
    assert await platform.routes() == [(2, "primary", 1.0)]
    last = (await audit_of(platform.store, "late"))[-1]
    assert (last.action, "labels differ" in json.loads(last.evidence)["reason"]) == ("rollout_superseded", True)
