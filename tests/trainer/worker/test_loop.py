"""The retries of a worker, and the order in which it claims runs."""

# ruff: noqa: ASYNC110 - a plain list notifies of no change

from __future__ import annotations

import asyncio
import shutil
import threading
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.chassis.errors import Backoff, UnavailableError
from rondo.contracts.events.training import ModelTrained, TrainingFailed

from tests.trainer import builders
from tests.trainer.worker_harness import PIPELINE, FakePipeline, WorkerHarness

if TYPE_CHECKING:
    from pathlib import Path


# Long enough for the other run to be claimed before the postponed one.
PAUSE = Backoff(first=0.3, cap=0.3)


pytestmark = pytest.mark.medium


async def test_a_result_is_retried_while_postgresql_and_the_artifact_store_are_unavailable(
    harness: WorkerHarness,
) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    harness.queue.unavailable = 2

    def learn_while_the_store_is_away(*arguments: Any) -> Any:
        shutil.rmtree(harness.artifacts)
        harness.artifacts.write_text("a file is no folder")
        threading.Timer(0.5, lambda: (harness.artifacts.unlink(), harness.artifacts.mkdir())).start()
        return PIPELINE.fit(*arguments)

    (trained,) = await harness.run(
        (builders.spec(), builders.trigger()), pipeline=FakePipeline(fit=learn_while_the_store_is_away)
    )
    assert isinstance(trained, ModelTrained)
    assert harness.attempts == {"drift-1": 1}


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["_delta_log/00000000000000000000.json", "*.parquet"])
async def test_storage_that_fails_for_a_while_is_retried_and_is_no_attempt(harness: WorkerHarness, broken: str) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    (file,) = (harness.data / "datasets" / "flights").glob(broken)
    aside = file.rename(file.with_suffix(".aside"))
    file.symlink_to(file)  # an error of the system, and no missing file
    threading.Timer(0.5, lambda: aside.rename(file)).start()
    (trained,) = await harness.run((builders.spec(), builders.trigger()))
    assert isinstance(trained, ModelTrained)
    assert harness.attempts == {"drift-1": 1}


async def test_unreadable_data_does_not_block_other_runs(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    shutil.copytree(harness.data / "datasets" / "flights", harness.data / "datasets" / "trains")
    (file,) = (harness.data / "datasets" / "flights").glob("*.parquet")
    aside = file.rename(file.with_suffix(".aside"))
    file.symlink_to(file)

    def repair_once_another_is_trained(*arguments: Any) -> Any:
        if file.is_symlink():
            aside.rename(file)
        return PIPELINE.fit(*arguments)

    ended = await harness.run(
        (builders.spec(), builders.trigger(name="unreadable")),
        (builders.spec(model="train-delay", data={"dataset": "trains"}), builders.trigger(name="readable")),
        pipeline=FakePipeline(fit=repair_once_another_is_trained),
        pause=PAUSE,
    )
    assert [(type(end), end.trigger.id) for end in ended] == [(ModelTrained, "readable"), (ModelTrained, "unreadable")]
    assert (harness.attempts, harness.begun) == ({"readable": 1, "unreadable": 1}, 2)


async def put_champion(harness: WorkerHarness) -> Path:
    """Make a version the champion of flight-delay that no training here reproduces. Return its artifact."""
    (trained,) = await harness.run((builders.spec(trainer={"seed": 8}), builders.trigger(name="champion")))
    harness.set_champion(1, trained.digest)
    return harness.artifacts / trained.digest.replace(":", "/")


@pytest.mark.slow
async def test_an_unreadable_champion_does_not_block_other_runs(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    artifact, fitted = await put_champion(harness), list[str]()
    aside = artifact.rename(artifact.with_suffix(".aside"))
    artifact.symlink_to(artifact)  # an error of the system, and no missing file

    def repair_once_another_is_trained(spec: Any, *arguments: Any) -> Any:
        fitted.append(spec.model)
        if artifact.is_symlink():
            aside.rename(artifact)
        return PIPELINE.fit(spec, *arguments)

    ended = await harness.run(
        (builders.spec(), builders.trigger(name="unreadable")),
        (builders.spec(model="train-delay"), builders.trigger(name="readable")),
        pipeline=FakePipeline(fit=repair_once_another_is_trained),
        pause=PAUSE,
    )
    assert [end.trigger.id for end in ended] == ["readable", "unreadable"]
    assert ended[1].summary.champion_metrics is not None
    assert harness.attempts == {"champion": 1, "readable": 1, "unreadable": 1}
    assert fitted == ["train-delay", "flight-delay"], "what can't be judged yet is not fitted, either"


async def test_a_champion_that_becomes_unreadable_during_a_training_does_not_block_other_runs(
    harness: WorkerHarness,
) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    artifact, fitted = await put_champion(harness), list[str]()
    aside = artifact.with_suffix(".aside")

    def breaks_it_and_the_next_repairs_it(spec: Any, *arguments: Any) -> Any:
        if not fitted:
            artifact.rename(aside)
            artifact.symlink_to(artifact)
        elif artifact.is_symlink():
            aside.rename(artifact)
        fitted.append(spec.model)
        return PIPELINE.fit(spec, *arguments)

    ended = await harness.run(
        (builders.spec(), builders.trigger(name="unreadable")),
        (builders.spec(model="train-delay"), builders.trigger(name="readable")),
        pipeline=FakePipeline(fit=breaks_it_and_the_next_repairs_it),
        pause=PAUSE,
    )
    assert [end.trigger.id for end in ended] == ["readable", "unreadable"]
    assert fitted == ["flight-delay", "train-delay", "flight-delay"]


async def test_a_damaged_file_ends_the_run_and_not_the_worker(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    (file,) = (harness.data / "datasets" / "flights").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:100])
    (failed,) = await harness.run((builders.spec(), builders.trigger()))
    assert isinstance(failed, TrainingFailed)
    assert failed.attempts == 1
    assert f"a file of the data under {harness.data} is damaged (" in failed.reason
    assert "): restore it from a backup" in failed.reason


async def test_the_loop_is_free_and_the_lease_renewed_while_a_training_lasts(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    renewed_thrice = threading.Event()

    def learns_until_renewed(*arguments: Any) -> Any:
        assert renewed_thrice.wait(20)
        return PIPELINE.fit(*arguments)

    async def watch() -> None:
        while harness.queue.renewals < 3:
            await asyncio.sleep(0.01)
        renewed_thrice.set()

    watching = asyncio.create_task(watch())
    (trained,) = await harness.run(
        (builders.spec(), builders.trigger()), pipeline=FakePipeline(fit=learns_until_renewed), lease=0.06
    )
    await watching
    assert isinstance(trained, ModelTrained)


async def test_a_stopped_worker_gives_up_after_a_lease_while_postgresql_is_unavailable(
    harness: WorkerHarness,
) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    harness.queue.unavailable = 1_000_000
    await harness.enqueue(builders.spec(), builders.trigger())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def learned_alone(*arguments: Any) -> Any:
        loop.call_soon_threadsafe(stop.set)
        return PIPELINE.fit(*arguments)

    async with asyncio.timeout(20):
        with pytest.raises(UnavailableError):
            await harness.worker(stop, pipeline=FakePipeline(fit=learned_alone), lease=0.2).work()
    assert harness.store.runs[0].result is None


@pytest.mark.parametrize("step", ["fit", "evaluate"])
async def test_a_panic_of_polars_ends_the_run_and_not_the_worker(harness: WorkerHarness, step: str) -> None:
    builders.write_batch(harness.data, builders.rows(2000))

    def panic(*_: Any) -> Any:
        raise pl.exceptions.PanicException("index out of bounds")

    (failed,) = await harness.run((builders.spec(), builders.trigger()), pipeline=FakePipeline(**{step: panic}))
    assert isinstance(failed, TrainingFailed)
    assert failed.attempts == 3
    assert "PanicException: index out of bounds" in failed.reason


async def test_a_result_that_the_database_refuses_ends_the_run_and_not_the_worker(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    harness.queue.refused = (ModelTrained,)
    failed, skipped = await harness.run(
        (builders.spec(), builders.trigger(name="refused")),
        (builders.spec(trainer={"min_rows": 3000}), builders.trigger(name="later")),
    )
    assert isinstance(failed, TrainingFailed)
    assert failed.attempts == 3
    assert "RefusedError" in failed.reason
    assert skipped.trigger.id == "later"
