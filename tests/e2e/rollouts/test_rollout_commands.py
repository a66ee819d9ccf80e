"""The output and the decisions of `rondo rollout`, and the end of a rollout without evidence."""

from __future__ import annotations

import asyncio
import io
import json
import time
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.client import AsyncRondo, Connection
from rondo.client.cli.command import app
from rondo.client.registration.conversion import convert
from rondo.embedded.stack import Stack
from typer.testing import CliRunner

from tests.e2e import small_model
from tests.e2e.rollouts.canaries import fitted

if TYPE_CHECKING:
    from pathlib import Path

# The action of each model at the end of a step without evidence.
INCONCLUSIVE = {"tips-wait": "wait", "tips-ask": "ask", "tips-back": "back"}
BY_HAND = "tips-by-hand"
LONGER = 20


def spec_of(model: str) -> str:
    policy = INCONCLUSIVE.get(model)
    steps = f"step_length: 1s, inconclusive: {policy}, max_wait: {LONGER}s" if policy else "step_length: 1h"
    text = small_model.SPEC.replace("model: tips", f"model: {model}").replace("label_delay: 1h", "label_delay: 0s")
    text = text.replace("retrain: {on: [drift]}", "retrain: {on: []}")
    return f"{text}monitor: {{window: 1s}}\nrollout: {{strategy: canary, steps: [20, 100], {steps}}}\n"


class Commands:
    """Runs `rondo` as a person does, against the stack of a folder."""

    def __init__(self, home: Path) -> None:
        self._env = {"RONDO_HOME": str(home)}

    def run(self, *command: str) -> str:
        done = CliRunner().invoke(app, list(command), env=self._env)
        assert done.exit_code == 0, done.output
        return done.stdout

    def rollout(self, model: str, *command: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("rollout", model, *command, "--json"))
        return found

    def states(self, model: str) -> dict[int, str]:
        found = json.loads(self.run("models", model, "--json"))
        return {each["model_version"]: each["state"] for each in found}

    def until(self, model: str, candidate: int, *states: str) -> dict[str, Any]:
        deadline = time.monotonic() + 200
        while True:
            began = self.states(model).get(candidate) == "rolling_out" or states != ("running",)
            found = self.rollout(model) if began else {"candidate": 0, "state": ""}
            if found["candidate"] == candidate and found["state"] in states:
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.5)


@pytest.mark.timeout(600)
@pytest.mark.slow
async def test_people_decide_about_rollouts_and_time_does(tmp_path: Path) -> None:
    # A holdout of three hours: too few blocks of ten minutes, so that blocks have a minute and a rollout is short.
    batch = small_model.rides(1_800)
    rows = pl.read_parquet(io.BytesIO(batch))
    async with Stack(tmp_path / "home") as stack, AsyncRondo(Connection.of_stack(stack.home)) as rondo:
        models = (*INCONCLUSIVE, BY_HAND)
        for model in models:
            await rondo.apply(spec_of(model))
        await rondo.publish(small_model.DATASET, "first", batch, small_model.PARQUET)
        await asyncio.gather(*(small_model.until_served(rondo, model) for model in models))
        commands = Commands(stack.home)
        for number, model in enumerate(models):
            spec = (await rondo.spec(model))["spec"]
            for version in (2, 3):
                chosen = rows.sample(1_600, seed=10 * number + version)
                (tmp_path / f"{model}-{version}.onnx").write_bytes(
                    convert(fitted(chosen, chosen["tipped"]), spec).content
                )
        await asyncio.to_thread(_without_evidence, commands, tmp_path)
        await asyncio.to_thread(_by_hand, commands, tmp_path)
        entries = (await rondo.audit(BY_HAND))["entries"]
        assert [each["action"] for each in entries if each["action"].startswith("rollout")] == [
            "rollout_waits", "rollout_began", "rollout_state", "rollout_state", "rollout_superseded",
            "rollout_waits", "rollout_began", "rollout_ended",
        ]  # fmt: skip
        assert [each["decided_by"] for each in entries if each["action"] == "rollout_state"] == ["admin", "admin"]


def _without_evidence(commands: Commands, folder: Path) -> None:
    for model in INCONCLUSIVE:
        commands.run("register", model, str(folder / f"{model}-2.onnx"))
    for model in INCONCLUSIVE:
        assert commands.until(model, 2, "running")["share"] == 0.2
    asking = commands.until("tips-ask", 2, "asking")
    assert (asking["verdict"], asking["share"]) == ("inconclusive", 0.2)
    back = commands.until("tips-back", 2, "rolled_back")
    assert (back["verdict"], back["share"]) == ("inconclusive", 0.0)
    # This rollout began at about the same time, and waits longer.
    assert commands.rollout("tips-wait")["state"] == "running"
    assert commands.until("tips-wait", 2, "asking")["verdict"] == "inconclusive"
    # The rollout asks, and a person decides.
    assert commands.rollout("tips-ask", "promote", "--reason", "it is")["state"] == "watching"
    assert commands.rollout("tips-wait", "abort")["state"] == "aborted"


def _by_hand(commands: Commands, folder: Path) -> None:
    commands.run("register", BY_HAND, str(folder / f"{BY_HAND}-2.onnx"))
    commands.until(BY_HAND, 2, "running")
    assert f"{BY_HAND}: version 2 beside 1, running" in commands.run("rollout", BY_HAND)
    assert commands.rollout(BY_HAND, "pause", "--reason", "lunch")["state"] == "paused"
    assert commands.rollout(BY_HAND, "resume")["state"] == "running"
    promoted = commands.rollout(BY_HAND, "promote")
    assert (promoted["state"], promoted["share"]) == ("watching", 1.0)
    # A previous version that returns within the rollback window is promoted at once, because it has served before.
    commands.run("rollback", BY_HAND)
    assert commands.states(BY_HAND) == {1: "champion", 2: "rolled_back"}
    assert commands.until(BY_HAND, 2, "superseded")["share"] == 0.0
    commands.run("register", BY_HAND, str(folder / f"{BY_HAND}-3.onnx"))
    commands.until(BY_HAND, 3, "running")
    assert commands.rollout(BY_HAND, "abort", "--reason", "enough")["state"] == "aborted"
    # The command shows the rollout until it ends, and this rollout has ended.
    assert commands.run("rollout", BY_HAND, "--live").startswith(f"{BY_HAND}: version 3 beside 1, aborted")
