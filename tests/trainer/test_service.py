"""The trainer as it runs: real processes on real Kafka and PostgreSQL. One story, told in order, and its deaths."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.training import ModelTrained, TrainingFailed, TrainingSkipped, TrainingStarted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def test_from_a_spec_and_a_batch_to_a_model_and_from_drift_to_the_next(
    trainer: Any, make: Any, data: Path, tmp_path: Path
) -> None:
    await trainer.start()
    await trainer.ready()

    # A batch that is too small: the run ends as skipped, and says what it waits for.
    spec = make.spec(trainer={"min_rows": 2000})
    make.write_batch(data, make.rows(1500))
    await trainer.publish(make.spec_applied(spec), "spec-1")
    await trainer.publish(make.batch_accepted("b1", 1.1), "batch-1")
    _, skipped = await trainer.hear(TrainingSkipped)
    assert (skipped.reason, skipped.detail) == ("not_enough_data", "1,500 of 2,000 rows; waiting for more batches")

    # With the next batch there is a model.
    rows = make.rows(1500, make.start + timedelta(days=2), "g", 2)
    make.write_batch(data, rows, "b2")
    await trainer.publish(make.batch_accepted("b2", 3.1), "batch-2")
    _, started = await trainer.hear(TrainingStarted)
    _, trained = await trainer.hear(ModelTrained)
    assert started.trigger == trained.trigger
    assert started.trigger.id == "flights/b2"
    evidence = trained.evidence
    assert (evidence.spec_digest, evidence.rows_holdout, evidence.seed) == (spec.digest, 300, 7)
    assert [(v.table, v.version, v.digest) for v in evidence.data] == [("datasets/flights", 1, make.digest)]
    assert evidence.event_time_to == rows["departure"].max()
    assert evidence.environment.keys() >= {"python", "lightgbm", "onnx", "onnxruntime", "platform"}
    assert evidence.code_version

    # Its artifact loads, and scores as the evidence says.
    content = await Artifacts(str(tmp_path / "artifacts")).get(trained.digest)
    assert len(content) == trained.size
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    inputs = {
        "carrier": rows["carrier"].to_numpy().astype(object).reshape(-1, 1),
        "distance": rows["distance"].to_numpy().reshape(-1, 1),
    }
    scores = session.run(["score"], inputs)[0].reshape(-1)
    late = rows["late"].to_numpy() == 1
    assert np.mean(scores[late][:, None] > scores[~late][None, :]) > 0.7
    assert evidence.candidate.metrics["roc_auc"] > 0.7

    # Drift, told by the monitor, trains anew; the same finding told again changes nothing.
    sent = asyncio.get_running_loop().time()
    await trainer.publish(make.drift(), "finding-1")
    at, again = await trainer.hear(TrainingStarted)
    print(f"DriftDetected to TrainingStarted: {(at - sent) * 1000:.0f} ms")  # noqa: T201 - a figure for whoever reads
    assert (again.trigger.kind, again.trigger.detail) == ("drift", "distance PSI 1.50 (bound 0.25)")
    _, retrained = await trainer.hear(ModelTrained)
    assert retrained.evidence.training_set_digest == evidence.training_set_digest
    assert retrained.digest == trained.digest, "the same rows, spec and seed make the same bytes"
    await trainer.publish(make.drift(), "finding-1-told-again")
    assert await trainer.quiet() == []


async def test_a_thousand_findings_in_a_second_make_one_run(trainer: Any, make: Any, data: Path) -> None:
    make.write_batch(data, make.rows(3000))
    spec = make.spec(trainer={"params": {"n_estimators": 5, "num_leaves": 7}}, retrain={"cooldown": "1d"})
    await trainer.start()
    await trainer.ready()
    await trainer.publish(make.spec_applied(spec), "spec-1")
    envelopes = [(make.drift(f"drift-{n}"), f"finding-{n}") for n in range(500)]
    envelopes += [(make.drift("drift-0"), f"again-{n}") for n in range(500)]
    await asyncio.gather(*(trainer.publish(event, name) for event, name in envelopes))
    _, trained = await trainer.hear(ModelTrained)
    others = await trainer.quiet(1.0)
    while len([event for event in others if isinstance(event, TrainingSkipped)]) < 499:
        others = await trainer.quiet(1.0)
    assert [type(event) for event in others if not isinstance(event, TrainingSkipped)] == [TrainingStarted]
    skipped = [event for event in others if isinstance(event, TrainingSkipped)]
    assert len(skipped) == 499
    assert {event.reason for event in skipped} <= {"in_flight", "cooldown"}
    assert {event.run_id for event in skipped if event.reason == "in_flight"} <= {trained.run_id}
    assert await trainer.sql.fetchval("select count(*) from runs") == 1


async def _begin_long_run(trainer: Any, make: Any, data: Path) -> None:
    make.write_batch(data, make.rows(30_000))
    spec = make.spec(trainer={"params": {"n_estimators": 150, "num_leaves": 63}})
    await trainer.start()
    await trainer.ready()
    await trainer.publish(make.spec_applied(spec), "spec-1")
    await trainer.publish(make.batch_accepted(), "batch-1")
    await trainer.hear(TrainingStarted)


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - another process's state is no event of ours
            await asyncio.sleep(0.02)


async def test_a_run_survives_the_death_of_the_service(trainer: Any, make: Any, data: Path) -> None:
    await _begin_long_run(trainer, make, data)
    worker = _worker_of(trainer)
    await trainer.kill(signal.SIGKILL)
    assert await trainer.sql.fetchval("select state from runs") == "running"

    async def finished() -> bool:
        return bool(await trainer.sql.fetchval("select state = 'trained' from runs"))

    await _until(finished)
    assert await trainer.sql.fetchval("select count(*) from outbox where topic = 'models.trained'") == 1

    async def left() -> bool:
        return not _alive(worker)

    await _until(left)
    await trainer.start()
    await trainer.ready()
    _, trained = await trainer.hear(ModelTrained)
    assert await trainer.sql.fetchrow("select digest, attempts from runs") == (trained.digest, 1)
    assert await trainer.quiet() == []


async def test_a_restarted_service_leaves_the_run_to_the_worker_that_has_it(
    trainer: Any, make: Any, data: Path
) -> None:
    await _begin_long_run(trainer, make, data)
    await trainer.kill(signal.SIGKILL)
    await trainer.start()
    await trainer.ready()
    _, trained = await trainer.hear(ModelTrained)
    assert await trainer.sql.fetchrow("select digest, attempts from runs") == (trained.digest, 1)
    assert await trainer.quiet() == []


async def test_a_killed_worker_is_replaced_and_its_run_begun_again(trainer: Any, make: Any, data: Path) -> None:
    await _begin_long_run(trainer, make, data)
    os.kill(_worker_of(trainer), signal.SIGKILL)
    _, trained = await trainer.hear(ModelTrained)
    assert await trainer.sql.fetchrow("select digest, attempts from runs") == (trained.digest, 2)
    others = await trainer.quiet()
    assert [type(event) for event in others] == [TrainingStarted], "told again, with the id of the first time"


async def test_three_deaths_of_the_worker_end_the_run_with_a_sentence(trainer: Any, make: Any, data: Path) -> None:
    await _begin_long_run(trainer, make, data)
    for attempt in (1, 2, 3):

        async def running(attempt: int = attempt) -> bool:
            return bool(await trainer.sql.fetchval("select state = 'running' and attempts = $1 from runs", attempt))

        await _until(running)
        os.kill(await _holder(trainer), signal.SIGKILL)
    _, failed = await trainer.hear(TrainingFailed)
    assert failed.attempts == 3
    assert failed.reason == (
        "the worker died 3 times during this run, most likely for lack of memory: shorten `trainer.window`, or give the"
        " trainer more"
    )


async def _holder(trainer: Any) -> int:
    """Return the process that holds the run, by the worker's name on its command line."""
    name = await trainer.sql.fetchval("select worker from runs")
    return next(pid for pid in trainer.children() if name in Path(f"/proc/{pid}/cmdline").read_text())


def _worker_of(trainer: Any) -> int:
    (worker,) = trainer.children()
    return int(worker)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
