"""What a worker waits for, and what it lets go first: as `test_worker.py`."""

# ruff: noqa: ASYNC110 - a plain list tells nobody of its changes

from __future__ import annotations

import asyncio
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.errors import UnavailableError
from rondo.contracts.events.training import ModelTrained, TrainingFailed
from rondo.trainer.dataset.delta_tables import DeltaDatasets
from rondo.trainer.runs.run import Serving
from rondo.trainer.worker.attempt import Attempt
from rondo.trainer.worker.loop import Worker

from tests.trainer.bench import TRAINING, Bench, Faked, MemoryRuns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bench(data: Path, tmp_path: Path) -> Iterator[Bench]:
    with ThreadPoolExecutor(1) as executor:
        yield Bench(MemoryRuns(), data, tmp_path / "artifacts", executor)


async def test_a_result_waits_for_postgresql_and_the_artifact_store_to_come_back(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    bench.runs.away = 2

    def learn_while_the_store_is_away(*arguments: Any) -> Any:
        shutil.rmtree(bench.artifacts)
        bench.artifacts.write_text("a file is no folder")
        threading.Timer(0.5, lambda: (bench.artifacts.unlink(), bench.artifacts.mkdir())).start()
        return TRAINING.learn(*arguments)

    (trained,) = await bench.run((make.spec(), make.trigger()), training=Faked(learn=learn_while_the_store_is_away))
    assert isinstance(trained, ModelTrained)
    assert bench.runs.attempts == {"drift-1": 1}


@pytest.mark.parametrize("broken", ["_delta_log/00000000000000000000.json", "*.parquet"])
async def test_storage_that_fails_for_a_while_is_waited_for_and_is_no_attempt(
    bench: Bench, make: Any, broken: str
) -> None:
    make.write_batch(bench.data, make.rows(2000))
    (file,) = (bench.data / "datasets" / "flights").glob(broken)
    aside = file.rename(file.with_suffix(".aside"))
    file.symlink_to(file)  # an error of the system, and no missing file
    threading.Timer(0.5, lambda: aside.rename(file)).start()
    (trained,) = await bench.run((make.spec(), make.trigger()))
    assert isinstance(trained, ModelTrained)
    assert bench.runs.attempts == {"drift-1": 1}


async def test_data_that_cannot_be_read_keeps_nobody_else_waiting(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    shutil.copytree(bench.data / "datasets" / "flights", bench.data / "datasets" / "trains")
    (file,) = (bench.data / "datasets" / "flights").glob("*.parquet")
    aside = file.rename(file.with_suffix(".aside"))
    file.symlink_to(file)

    def mend_once_another_is_trained(*arguments: Any) -> Any:
        if file.is_symlink():
            aside.rename(file)
        return TRAINING.learn(*arguments)

    ended = await bench.run(
        (make.spec(), make.trigger(name="unreadable")),
        (make.spec(model="train-delay", data={"dataset": "trains"}), make.trigger(name="readable")),
        training=Faked(learn=mend_once_another_is_trained),
    )
    assert [(type(end), end.trigger.id) for end in ended] == [(ModelTrained, "readable"), (ModelTrained, "unreadable")]
    assert (bench.runs.attempts, bench.runs.begun) == ({"readable": 1, "unreadable": 1}, 2)


async def put_champion(bench: Bench, make: Any) -> Path:
    """Let a version of flight-delay serve that no other training here makes again; return its artifact."""
    (trained,) = await bench.run((make.spec(trainer={"seed": 8}), make.trigger(name="champion")))
    bench.runs.champions["flight-delay"] = Serving(1, trained.digest)
    return bench.artifacts / trained.digest.replace(":", "/")


async def test_a_champion_whose_artifact_cannot_be_read_keeps_nobody_else_waiting(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    artifact, fitted = await put_champion(bench, make), list[str]()
    aside = artifact.rename(artifact.with_suffix(".aside"))
    artifact.symlink_to(artifact)  # an error of the system, and no missing file

    def mend_once_another_is_trained(spec: Any, *arguments: Any) -> Any:
        fitted.append(spec.model)
        if artifact.is_symlink():
            aside.rename(artifact)
        return TRAINING.learn(spec, *arguments)

    ended = await bench.run(
        (make.spec(), make.trigger(name="unreadable")),
        (make.spec(model="train-delay"), make.trigger(name="readable")),
        training=Faked(learn=mend_once_another_is_trained),
    )
    assert [end.trigger.id for end in ended] == ["readable", "unreadable"]
    assert ended[1].evidence.champion is not None
    assert bench.runs.attempts == {"champion": 1, "readable": 1, "unreadable": 1}
    assert fitted == ["train-delay", "flight-delay"], "what can't be judged yet is not fitted, either"


async def test_an_artifact_that_becomes_unreadable_during_a_training_lets_others_go_first(
    bench: Bench, make: Any
) -> None:
    make.write_batch(bench.data, make.rows(2000))
    artifact, fitted = await put_champion(bench, make), list[str]()
    aside = artifact.with_suffix(".aside")

    def breaks_it_and_the_next_mends_it(spec: Any, *arguments: Any) -> Any:
        if not fitted:
            artifact.rename(aside)
            artifact.symlink_to(artifact)
        elif artifact.is_symlink():
            aside.rename(artifact)
        fitted.append(spec.model)
        return TRAINING.learn(spec, *arguments)

    ended = await bench.run(
        (make.spec(), make.trigger(name="unreadable")),
        (make.spec(model="train-delay"), make.trigger(name="readable")),
        training=Faked(learn=breaks_it_and_the_next_mends_it),
    )
    assert [end.trigger.id for end in ended] == ["readable", "unreadable"]
    assert fitted == ["flight-delay", "train-delay", "flight-delay"]


async def test_a_damaged_file_ends_the_run_and_not_the_worker(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    (file,) = (bench.data / "datasets" / "flights").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:100])
    (failed,) = await bench.run((make.spec(), make.trigger()))
    assert isinstance(failed, TrainingFailed)
    assert f"a file of the data under {bench.data} is damaged (" in failed.reason
    assert "): bring it back from a backup" in failed.reason


async def test_the_loop_is_free_and_the_lease_renewed_while_a_training_lasts(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    renewed_thrice = threading.Event()

    def learns_until_renewed(*arguments: Any) -> Any:
        assert renewed_thrice.wait(20)
        return TRAINING.learn(*arguments)

    async def watch() -> None:
        while bench.runs.renewed < 3:
            await asyncio.sleep(0.01)
        renewed_thrice.set()

    watching = asyncio.create_task(watch())
    (trained,) = await bench.run((make.spec(), make.trigger()), training=Faked(learn=learns_until_renewed), lease=0.06)
    await watching
    assert isinstance(trained, ModelTrained)


async def test_a_worker_without_its_service_gives_up_after_a_lease_when_postgresql_is_gone_too(
    bench: Bench, make: Any
) -> None:
    make.write_batch(bench.data, make.rows(2000))
    bench.runs.away = 1_000_000
    bench.runs.queue.append((make.spec(), make.trigger()))
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()

    def learned_alone(*arguments: Any) -> Any:
        loop.call_soon_threadsafe(leave.set)
        return TRAINING.learn(*arguments)

    datasets, store = DeltaDatasets(str(bench.data)), Artifacts(str(bench.artifacts))
    attempt = Attempt(bench.runs, datasets, store, Faked(learn=learned_alone), bench.executor, "v1")
    async with asyncio.timeout(20):
        with pytest.raises(UnavailableError):
            await Worker(bench.runs, attempt, leave, 0.2, 3).work()
    assert bench.runs.ended == []
