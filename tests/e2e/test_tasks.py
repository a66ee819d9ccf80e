"""Models of every task and kind of trainer in the whole loop, retrained by drift and by a drop of performance."""

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
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
trainer: {trainer}
prediction: {prediction}
gates: {gates}
retrain: {{on: [{trigger}], cooldown: 1d}}
"""
TREES = "params: {n_estimators: 20, num_leaves: 7}"
FOREST = "sklearn.ensemble.RandomForest{}, params: {{n_estimators: 20, min_samples_leaf: 5}}"
# A kind of trainer, and the task that it is retrained for. `registered` is a champion that was made elsewhere.
KINDS = {
    "xgboost": ("multiclass", "kind: xgboost, params: {n_estimators: 20, max_depth: 3}"),
    "sklearn": ("regression", f"kind: sklearn, steps: [{{use: {FOREST.format('Regressor')}}}]"),
    "function": ("multiclass", 'kind: function, function: "own.train:train"'),
    "ensemble": ("multiclass", f"{TREES}, ensemble: 2"),
    "registered": ("regression", TREES),
}
# As docs/functions.md shows one.
FUNCTION = """
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier


def train(columns, labels, context):
    model = RandomForestClassifier(20, min_samples_leaf=5, random_state=context.seed, n_jobs=context.threads)
    model.fit(context.matrix, labels.astype(int))
    return to_onnx(model, context.matrix[:1], target_opset=15, options={"zipmap": False})
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


def first_rides() -> pl.DataFrame:
    rows = [ride(number, START + timedelta(minutes=10 * number)) for number in range(2_000)]
    return pl.DataFrame(rows, schema_overrides={"started": pl.Datetime("us", "UTC")})


def first_batch() -> bytes:
    content = io.BytesIO()
    first_rides().write_parquet(content)
    return content.getvalue()


def described(model: str, task: str, trigger: str, trainer: str = TREES) -> str:
    return SPEC.format(
        model=model, task=task, label=LABELS[task], trigger=trigger, prediction=PREDICTION[task], gates=GATES[task],
        trainer=f"{{{trainer}, min_rows: 500}}",
    )  # fmt: skip


class Application:
    """Sends requests and outcomes day by day, and keeps every answer."""

    def __init__(self, rondo: AsyncRondo, model: str, label: str) -> None:
        self.rondo, self.model, self.label = rondo, model, label
        self.answers: list[Prediction] = []
        self.sent = 0

    async def day(self, number: int, **of_rides: Any) -> None:
        """Send requests for the rides of a day, and each outcome half an hour later."""
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
        """Continue day by day until a version answers."""
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
            await rondo.apply(described(f"{task}-{trigger}", task, trigger))
        await rondo.publish("rides", "first", first_batch(), "application/vnd.apache.parquet")
        for trigger, of_rides in triggers.items():
            model = f"{task}-{trigger}"
            await small_model.until_served(rondo, model)
            application = Application(rondo, model, label)
            await application.until_version(2, **of_rides)
            check_answers(application, task)
            await check_serving(application, trigger)
            if (task, trigger) == ("regression", "drift"):
                await check_coverage(application)
            asked += application.sent
        await check_topics(stack, asked)


@pytest.mark.timeout(600)
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
async def test_a_model_of_each_kind_of_trainer_is_retrained_by_performance(tmp_path: Path, kind: str) -> None:
    task, trainer = KINDS[kind]
    (tmp_path / "functions" / "own").mkdir(parents=True)
    (tmp_path / "functions" / "own" / "train.py").write_text(FUNCTION)
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(Stack(tmp_path / "home", functions=tmp_path / "functions"))
        rondo = await exits.enter_async_context(AsyncRondo(Connection.of_stack(stack.home)))
        await rondo.apply(described(kind, task, "performance", trainer))
        await rondo.publish("rides", "first", first_batch(), "application/vnd.apache.parquet")
        await small_model.until_served(rondo, kind)
        first = 1
        if kind == "registered":
            first = await register(rondo, kind)
        application = Application(rondo, kind, LABELS[task])
        await application.until_version(first + 1, turned=1)
        check_answers(application, task)
        serving = await check_serving(application, "performance")
        lineage = await rondo.lineage(kind, serving)
        assert (lineage["training"]["function"] is not None) is (kind == "function")
        assert lineage["parameters"]["kind"] == (kind if kind in {"xgboost", "sklearn", "function"} else "lightgbm")
        if kind == "ensemble":
            assert None in {member["model_version"] for member in lineage["training"]["members"]}
            assert len(lineage["training"]["members"]) == 2
        await check_topics(stack, application.sent)


async def register(rondo: AsyncRondo, model: str) -> int:
    """Register an estimator that was fitted elsewhere to the first rides, and return its version, which serves."""
    rides = first_rides()
    estimator = make_pipeline(
        make_column_transformer((StandardScaler(), ["distance"])), RandomForestRegressor(5, min_samples_leaf=5)
    ).fit(rides.select("distance"), rides["tip"])
    made = await rondo.register(model, estimator, rows=rides.select("distance"))
    assert made.status == "promoted", made
    assert made.version is not None
    lineage = await rondo.lineage(model, made.version)
    assert "compared_by_client" in {note["code"] for note in lineage["notes"]}
    return made.version


async def check_serving(application: Application, trigger: str) -> int:
    """Check that the version that answers was trained by a trigger and passed its gates. Return its number."""
    # The gates may have refused a version with too few rows of the new kind.
    versions = await application.rondo.versions(application.model)
    serving = versions[application.answers[-1].model_version - 1]
    # The next version may have taken over since.
    assert serving["state"] in {"champion", "standby"}
    assert serving["trigger"]["kind"] == trigger
    assert len(serving["gates"]) >= 3
    assert all(gate["passed"] for gate in serving["gates"])
    number: int = serving["model_version"]
    return number


async def check_coverage(application: Application) -> None:
    """Check that closed windows have the share of outcomes in the interval, by the ends that serving logged."""
    windows = await application.rondo.windows(application.model)
    covered = [
        statistic
        for window in windows
        for statistic in window["statistics"]
        if statistic["statistic"] == "interval_coverage"
    ]
    assert covered, windows
    # The inputs have changed, and the errors have not.
    assert covered[0]["value"] > 0.5
    assert covered[0]["reference"] > 0.5


async def check_topics(stack: Stack, asked: int) -> None:
    """Check on the topics that each request has one answer, because a client hides duplicates."""
    ledger = await asyncio.to_thread(audit, stack)
    assert (ledger.requested.total(), ledger.answered.total()) == (asked, asked)
    assert (ledger.lost(), ledger.doubled()) == ([], [])


@pytest.mark.timeout(600)
@pytest.mark.slow
async def test_a_model_whose_spec_lists_no_trigger_is_retrained_by_its_outcomes(tmp_path: Path) -> None:
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(Stack(tmp_path / "home"))
        rondo = await exits.enter_async_context(AsyncRondo(Connection.of_stack(stack.home)))
        automatic = described("automatic", "regression", "")
        await rondo.apply(automatic.replace("retrain: {on: [], cooldown: 1d}", "retrain: {cooldown: 0s}"))
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
