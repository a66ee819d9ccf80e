"""Models of several classes and of numbers in the whole loop: retrained by drift and by a fall of performance."""

from __future__ import annotations

import asyncio
import io
import random
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.client import AsyncRondo, Connection
from rondo.contracts.events.predictions import PredictionRequested
from rondo.embedded.stack import Stack
from rondo.flights.observers.auditor import Auditor

from tests.e2e import small_model

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.client import Prediction
    from rondo.flights.observers.ledger import Ledger

START = datetime(2013, 1, 1, tzinfo=UTC)
ROWS_A_DAY = 200
SPEC = """
model: {model}
task: {task}
data: {{dataset: rides, entity: ride, event_time: started, label: {label}, label_delay: 1h}}
features:
  zone: {{type: category}}
  distance: {{type: float}}
trainer: {{params: {{n_estimators: 20, num_leaves: 7}}, min_rows: 500}}
prediction: {prediction}
gates: {gates}
retrain: {{on: [{trigger}], cooldown: 1d}}
"""
LABELS = {"multiclass": "size", "regression": "tip"}
PREDICTION = {"multiclass": "{}", "regression": "{interval: 0.8}"}
GATES = {
    "multiclass": "{accuracy: {min: 0.3, not_worse_than_champion: 0.2}, slices: [zone], slice_tolerance: 0.5}",
    "regression": "{mae: {max: 50, not_worse_than_champion: 0.3}, fairness: {by: zone, max_gap: 50}}",
}
SIZES = ("large", "medium", "small")


def size(distance: float, turned: int) -> str:
    return SIZES[(int(distance / 4) + turned) % 3]


def tip(distance: float, turned: int, noise: float) -> float:
    return round((12 - distance if turned else distance) * 2 + noise, 2)


def ride(number: int, at: datetime, *, zones: str = "ab", turned: int = 0) -> dict[str, Any]:
    draw = random.Random(number)
    distance = draw.uniform(0, 12)
    return {
        "ride": f"r{number}", "started": at, "zone": draw.choice(zones), "distance": distance,
        "size": size(distance, turned), "tip": tip(distance, turned, draw.gauss(0, 0.5)),
    }  # fmt: skip


def first_batch() -> bytes:
    content = io.BytesIO()
    rows = [ride(number, START + timedelta(minutes=10 * number)) for number in range(2_000)]
    pl.DataFrame(rows, schema_overrides={"started": pl.Datetime("us", "UTC")}).write_parquet(content)
    return content.getvalue()


class Application:
    """Asks a model and sends the outcomes, day by day; keeps every answer."""

    def __init__(self, rondo: AsyncRondo, model: str, label: str) -> None:
        self.rondo, self.model, self.label = rondo, model, label
        self.answers: list[Prediction] = []
        self.sent = 0

    async def day(self, number: int, **of_rides: Any) -> None:
        """Ask about the rides of a day, and send their outcomes half an hour later each."""
        start = START + timedelta(days=number)
        rides = {
            f"{self.model}-{number}-{n}": ride(10_000 * number + n, start + timedelta(minutes=7 * n), **of_rides)
            for n in range(ROWS_A_DAY)
        }
        requests = [
            PredictionRequested(
                id=id_, model=self.model, entity=each["ride"], event_time=each["started"],
                features={"zone": each["zone"], "distance": each["distance"]},
            )
            for id_, each in rides.items()
        ]  # fmt: skip
        async with aclosing(self.rondo.stream(requests)) as answers:
            self.answers += [answer async for answer in answers]
        for id_, each in rides.items():
            at = each["started"] + timedelta(minutes=30)
            await self.rondo.send_outcome(self.model, each[self.label], at, id=id_)
        self.sent += len(requests)

    async def until_version(self, version: int, **of_rides: Any) -> None:
        """Go on, day by day, until a version answers."""
        async with asyncio.timeout(240):
            for number in range(20, 400):
                await self.day(number, **of_rides)
                if self.answers[-1].model_version >= version:
                    return


@pytest.mark.timeout(600)
@pytest.mark.slow
@pytest.mark.parametrize("task", LABELS)
async def test_a_model_is_retrained_by_drift_and_by_performance(tmp_path: Path, task: str) -> None:
    asked = 0
    triggers, label = {"drift": {"zones": "a"}, "performance": {"turned": 1}}, LABELS[task]
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(Stack(tmp_path / "home"))
        rondo = await exits.enter_async_context(AsyncRondo(Connection.of_stack(stack.home)))
        for trigger in triggers:
            described = SPEC.format(
                model=f"{task}-{trigger}", task=task, label=label, trigger=trigger, prediction=PREDICTION[task],
                gates=GATES[task],
            )  # fmt: skip
            await rondo.apply(described)
        await rondo.publish("rides", "first", first_batch(), "application/vnd.apache.parquet")
        for trigger, of_rides in triggers.items():
            model = f"{task}-{trigger}"
            await small_model.until_served(rondo, model)
            application = Application(rondo, model, label)
            await application.until_version(2, **of_rides)
            check_answers(application, task)
            # The gates may have refused a version that knew too few rows of the new kind.
            serving = (await rondo.versions(model))[application.answers[-1].model_version - 1]
            # The next version may have taken over since.
            assert serving["state"] in {"champion", "standby"}
            assert serving["trigger"]["kind"] == trigger
            assert len(serving["gates"]) >= 3
            assert all(gate["passed"] for gate in serving["gates"])
            asked += application.sent
        # From the topics, and not from the client: it gives one answer for each request, whatever is there.
        ledger = await asyncio.to_thread(audit, stack)
    assert (ledger.requested.total(), ledger.answered.total()) == (asked, asked)
    assert (ledger.lost(), ledger.doubled()) == ([], [])


@pytest.mark.timeout(600)
@pytest.mark.slow
async def test_a_model_whose_spec_lists_no_trigger_is_retrained_by_its_outcomes(tmp_path: Path) -> None:
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(Stack(tmp_path / "home"))
        rondo = await exits.enter_async_context(AsyncRondo(Connection.of_stack(stack.home)))
        described = SPEC.format(
            model="automatic", task="regression", label="tip", trigger="", prediction=PREDICTION["regression"],
            gates=GATES["regression"],
        )  # fmt: skip
        await rondo.apply(described.replace("retrain: {on: [], cooldown: 1d}", "retrain: {cooldown: 0s}"))
        await rondo.publish("rides", "first", first_batch(), "application/vnd.apache.parquet")
        await small_model.until_served(rondo, "automatic")
        application = Application(rondo, "automatic", "tip")
        await application.until_version(3, turned=1)
        check_answers(application, "regression")
        versions = await rondo.versions("automatic")
        kinds = {version["trigger"]["kind"] for version in versions[1:]}
        assert kinds <= {"new_labels", "suspicion", "performance"}
        moved = [version for version in versions if version["adaptation"]["window_start"]]
        assert moved, "the rows before the change are left out"
        start = datetime.fromisoformat(moved[-1]["adaptation"]["window_start"])
        assert abs(start - (START + timedelta(days=20))) < timedelta(days=2)
        assert {each["strategy"] for each in versions[0]["adaptation"]["scores"]} >= {"since", "fading"}


def audit(stack: Stack) -> Ledger:
    """Read all requests and answers there are."""
    auditor = Auditor(Connection.of_stack(stack.home).kafka)
    auditor.finish()
    auditor.run()
    return auditor.ledger


def check_answers(application: Application, task: str) -> None:
    """Check that each request has one answer, in the form of the task, and that the answers are good."""
    answers = application.answers
    assert len({answer.id for answer in answers}) == len(answers) == application.sent
    if task == "multiclass":
        assert {answer.label for answer in answers} <= set(SIZES)
        for answer in answers:
            assert answer.probabilities is not None
            assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-4)
            assert answer.score == pytest.approx(answer.probabilities[str(answer.label)])
    else:
        for answer in answers:
            assert answer.interval is not None
            assert answer.value is not None
            assert answer.interval[0] < answer.value < answer.interval[1]
