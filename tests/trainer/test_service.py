"""The trainer as real processes on real Kafka and PostgreSQL: one scenario in order, and kills in the middle."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.events.training import (
    ModelTrained,
    TrainingFailed,
    TrainingProgressed,
    TrainingSkipped,
    TrainingStarted,
)

from tests.support.waiting import until
from tests.trainer import builders

if TYPE_CHECKING:
    import polars as pl


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_from_a_spec_and_a_batch_to_a_model_and_from_drift_to_the_next(
    trainer: Any, data: Path, tmp_path: Path
) -> None:
    _give_functions(trainer, tmp_path / "functions")
    trainer.process.start()
    await trainer.process.ready(150)

    # A batch that is too small: the run is skipped, and its message names what it waits for.
    spec = builders.spec(trainer={"min_rows": 2000})
    builders.write_batch(data, builders.rows(1500))
    await trainer.publish(builders.spec_applied(spec), "spec-1")
    await trainer.publish(builders.batch_accepted("b1", 1.1), "batch-1")
    _, skipped = await trainer.next_event(TrainingSkipped)
    assert skipped.reason == "not_enough_data"
    assert "1,500 of 2,000 rows" in skipped.detail

    # With the next batch there is a model.
    rows = builders.rows(1500, builders.START + timedelta(days=2), "g", 2)
    builders.write_batch(data, rows, "b2")
    await trainer.publish(builders.batch_accepted("b2", 3.1), "batch-2")
    _, started = await trainer.next_event(TrainingStarted)
    _, trained = await trainer.next_event(ModelTrained)
    assert started.trigger == trained.trigger
    assert started.trigger.id == "flights/b2"
    evidence = trained.summary
    assert (evidence.spec_digest, evidence.rows_holdout, evidence.seed) == (spec.digest, 300, 7)
    assert [(v.table, v.version, v.digest) for v in evidence.data] == [("datasets/flights", 1, builders.DIGEST)]
    assert evidence.event_time_to == rows["departure"].max()
    assert evidence.environment.keys() >= {"python", "lightgbm", "onnx", "onnxruntime", "platform"}
    assert evidence.code_version

    await _scores_as_its_evidence_says(trained, rows, tmp_path / "artifacts")
    # As the registry does: the next run would wait 5 s for it.
    await trainer.publish(builders.deployment(1, 1, digest=trained.digest), "deployment-1")

    # Drift without new rows trains nothing.
    await trainer.publish(builders.drift("no-new-rows"), "finding-0")
    _, skipped = await trainer.next_event(TrainingSkipped)
    assert (skipped.reason, skipped.trigger.id) == ("no_new_data", "no-new-rows")

    # With new rows drift trains. The same finding delivered again changes nothing.
    builders.write_batch(data, builders.rows(100, builders.START + timedelta(days=5), "h", 3), "b3")
    sent = asyncio.get_running_loop().time()
    await trainer.publish(builders.drift(), "finding-1")
    at, again = await trainer.next_event(TrainingStarted)
    print(f"DriftDetected to TrainingStarted: {(at - sent) * 1000:.0f} ms")  # noqa: T201 - a figure for the reader
    assert (again.trigger.kind, again.trigger.detail) == ("drift", "distance PSI 1.50 (threshold 0.25)")
    _, retrained = await trainer.next_event(ModelTrained)
    assert retrained.digest != trained.digest
    assert retrained.summary.champion_version == 1
    await trainer.publish(builders.deployment(2, 2, digest=retrained.digest), "deployment-2")
    await trainer.publish(builders.drift(), "finding-1-redelivered")
    assert await trainer.quiet() == []

    # Two hundred findings make one run.
    builders.write_batch(data, builders.rows(100, builders.START + timedelta(days=6), "i", 4), "b4")
    await _many_findings_make_one_run(trainer)

    # A function of the user's own trains in the same service.
    by_function = builders.spec(trainer={"kind": "function", "function": "own.train:linear", "params": {"depth": 3}})
    await trainer.publish(builders.spec_applied(by_function, 2), "spec-2")
    await trainer.publish(builders.requested(), "by-hand")
    _, trained = await trainer.next_event(ModelTrained)
    assert trained.summary.function.function == "own.train:linear"
    assert "trained by {'depth': 3}" in trainer.process.log.read_text()

    # Without its service an idle worker leaves.
    await _an_idle_worker_leaves(trainer)


def _give_functions(trainer: Any, folder: Path) -> None:
    """Let the trainer have a folder with one package, `own`."""
    (folder / "own").mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "functions" / "own_model.py", folder / "own" / "train.py")
    trainer.process.environment["RONDO_FUNCTIONS"] = str(folder)


async def _scores_as_its_evidence_says(trained: ModelTrained, rows: pl.DataFrame, artifacts: Path) -> None:
    content = await Artifacts(str(artifacts)).get(trained.digest)
    assert len(content) == trained.size
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    inputs = {
        "carrier": rows["carrier"].to_numpy().astype(object).reshape(-1, 1),
        "distance": rows["distance"].to_numpy().reshape(-1, 1),
    }
    scores = session.run(["output.score"], inputs)[0].reshape(-1)
    late = rows["late"].to_numpy() == 1
    assert np.mean(scores[late][:, None] > scores[~late][None, :]) > 0.7
    assert trained.summary.metrics["roc_auc"] > 0.7


async def _many_findings_make_one_run(trainer: Any) -> None:
    published = [(builders.drift(f"flood-{n}", 90), f"flood-{n}") for n in range(100)]
    published += [(builders.drift("flood-0", 90), f"flood-again-{n}") for n in range(100)]
    await asyncio.gather(*(trainer.publish(event, name) for event, name in published))
    _, trained = await trainer.next_event(ModelTrained)
    found = await trainer.quiet()
    skipped = [event for event in found if isinstance(event, TrainingSkipped)]
    # One for each reason, and not for each finding.
    assert 1 <= len(skipped) <= 3
    assert {event.reason for event in skipped} <= {"in_flight", "cooldown"}
    assert {event.run_id for event in skipped if event.reason == "in_flight"} <= {trained.run_id}
    assert [type(event) for event in found if event not in skipped] == [TrainingStarted]


# The scenario above trains by a function, too, and tests/trainer/worker/test_attempt.py has the other parts.
@pytest.mark.timeout(300)
@pytest.mark.slow
async def test_a_function_of_the_users_own_trains_and_its_champion_becomes_a_member_of_the_next_candidate(
    trainer: Any, data: Path, tmp_path: Path
) -> None:
    _give_functions(trainer, tmp_path / "functions")
    trainer.process.start()
    await trainer.process.ready(150)

    parts = {"kind": "function", "function": "own.train:linear", "params": {"depth": 3}, "ensemble": 2}
    spec = builders.spec(trainer=parts)
    builders.write_batch(data, builders.rows(1500))
    await trainer.publish(builders.spec_applied(spec), "spec-1")
    await trainer.publish(builders.batch_accepted("b1", 1.1), "batch-1")
    _, first = await trainer.next_event(ModelTrained)
    assert first.summary.function.function == "own.train:linear"
    assert first.summary.members == ()
    assert "trained by {'depth': 3}" in trainer.process.log.read_text()

    # It is promoted. The next training combines it with the new model, in one graph.
    await trainer.publish(builders.deployment(1, 1, digest=first.digest), "deployment-1")
    builders.write_batch(data, builders.rows(1500, builders.START + timedelta(days=2), "g", 2), "b2")
    await trainer.publish(builders.drift(), "finding-1")
    _, second = await trainer.next_event(ModelTrained)
    assert [(each.model_version, each.digest) for each in second.summary.members] == [(None, None), (1, first.digest)]
    assert second.summary.champion_version == 1
    assert second.summary.function == first.summary.function
    content = await Artifacts(str(tmp_path / "artifacts")).get(second.digest)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["carrier", "distance"]

    # A function that crashes ends its run, and the worker stays.
    worker = _worker_of(trainer)
    crashing = builders.spec(trainer=parts | {"function": "own.train:crashes"})
    await trainer.publish(builders.spec_applied(crashing, 2), "spec-2")
    await trainer.publish(builders.requested(), "by-hand")
    _, failed = await trainer.next_event(TrainingFailed)
    assert re.search("own.train:crashes .* SIGABRT", failed.reason)
    assert _worker_of(trainer) == worker


@pytest.mark.timeout(300)
@pytest.mark.slow
async def test_a_kill_loses_no_run_and_duplicates_none(trainer: Any, data: Path) -> None:
    builders.write_batch(data, builders.rows(30_000))
    spec = builders.spec(trainer={"params": {"n_estimators": 150, "num_leaves": 63}})
    trainer.process.start()
    await trainer.process.ready(150)
    await trainer.publish(builders.spec_applied(spec), "spec-1")

    # The service is killed in the middle of a run: the worker finishes it, and exits.
    await _begin_run(trainer, data, 1)
    worker = _worker_of(trainer)
    trainer.process.kill()
    assert await _state(trainer, 1) == ("running", 1)
    await _until(trainer, 1, "trained", 1)
    assert await trainer.sql.fetchval("select count(*) from outbox where topic = 'models.trained'") == 1
    async with asyncio.timeout(40):
        while _alive(worker):  # noqa: ASYNC110 - it is not our child
            await asyncio.sleep(0.02)
    trainer.process.start()
    await trainer.process.ready(150)
    _, trained = await trainer.next_event(ModelTrained)
    assert trained.trigger.id == "drift-1"

    # It restarts before the run has ended: it leaves the run to the worker that has it.
    await _begin_run(trainer, data, 2)
    trainer.process.kill()
    trainer.process.start()
    await trainer.process.ready(150)
    _, trained = await trainer.next_event(ModelTrained)
    assert await _state(trainer, 2) == ("trained", 1)

    # The worker is killed: another begins the run again.
    await _begin_run(trainer, data, 3)
    os.kill(_worker_of(trainer), signal.SIGKILL)
    _, again = await trainer.next_event(ModelTrained)
    assert await _state(trainer, 3) == ("trained", 2)
    assert again.digest != trained.digest
    assert await trainer.quiet() == [], "both attempts announced their start with the same id"


@pytest.mark.timeout(300)
@pytest.mark.slow
async def test_a_search_goes_on_after_a_kill_and_repeats_no_trial(trainer: Any, data: Path) -> None:
    builders.write_batch(data, builders.rows(20_000))
    space = {"num_leaves": {"low": 15, "high": 63}, "learning_rate": {"low": 0.01, "high": 0.3, "log": True}}
    spec = builders.spec(trainer={"params": {"n_estimators": 100}, "search": {"trials": 8, "space": space}})
    trainer.process.start()
    await trainer.process.ready(150)
    await trainer.publish(builders.spec_applied(spec), "spec-1")
    await trainer.publish(builders.batch_accepted("b1", 20), "batch-1")
    for _ in range(3):
        await trainer.next_event(TrainingProgressed)
    os.kill(_worker_of(trainer), signal.SIGKILL)
    before = await trainer.sql.fetch("select * from trials where state <> 'running' order by number")
    assert 3 <= len(before) < 8

    _, trained = await trainer.next_event(ModelTrained, within=120)
    after = await trainer.sql.fetch("select * from trials order by number")
    assert after[: len(before)] == before, "seconds and starts included"
    assert [row["starts"] for row in after if row["starts"] != 1] in ([], [2]), "the one that was killed, if any"
    assert [row["number"] for row in after] == [*range(8)]
    assert await trainer.sql.fetchval("select attempts from runs") == 2
    assert trained.summary.parameters.search.trials == 8
    progress = [event.trials for event in await trainer.quiet() if isinstance(event, TrainingProgressed)]
    assert progress == [*range(4, 9)], "each once"


async def _an_idle_worker_leaves(trainer: Any) -> None:
    """One in the middle of a run leaves after it: see the next scenario."""
    worker = _worker_of(trainer)
    trainer.process.kill()
    async with asyncio.timeout(40):
        while _alive(worker):  # noqa: ASYNC110 - it is not our child
            await asyncio.sleep(0.02)


async def _begin_run(trainer: Any, data: Path, number: int) -> None:
    """Publish a batch and drift, and wait for the start of the training."""
    rows = builders.rows(9_000, builders.START + timedelta(days=30 + 10 * number), f"n{number}-")
    builders.write_batch(data, rows, f"n{number}")
    await trainer.publish(builders.drift(f"drift-{number}", 60 + 10 * number), f"finding-{number}")
    await trainer.next_event(TrainingStarted)


async def _state(trainer: Any, number: int) -> tuple[str, int]:
    return tuple(
        await trainer.sql.fetchrow("select state, attempts from runs where trigger_id = $1", f"drift-{number}")
    )


async def _until(trainer: Any, number: int, state: str, attempts: int) -> None:
    async def reached() -> bool:
        return await _state(trainer, number) == (state, attempts)

    await until(reached, 40)


def _worker_of(trainer: Any) -> int:
    (worker,) = trainer.process.children()
    return int(worker)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
