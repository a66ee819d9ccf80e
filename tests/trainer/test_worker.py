"""What becomes of a run: in memory, but for real Delta tables, real artifacts and a real training."""

# ruff: noqa: ARG002 - a fake takes what its port takes
# ruff: noqa: ASYNC110 - a plain list tells nobody of its changes

from __future__ import annotations

import asyncio
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.failures import Backoff, UnavailableError
from rondo.contracts.topics import BY_NAME
from rondo.contracts.training import ModelTrained, TrainingFailed, TrainingSkipped
from rondo.trainer.delta import DeltaDatasets
from rondo.trainer.lightgbm import Fitter
from rondo.trainer.onnx import Scorer
from rondo.trainer.runs import Run, Serving
from rondo.trainer.training import Training
from rondo.trainer.worker.attempt import Attempt
from rondo.trainer.worker.loop import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class MemoryRuns:
    """`worker.ports.Runs` in memory, of one worker; `away` is how often PostgreSQL does not answer a result.

    `champions` are those of single models, `champion` that of the others; `decided` is who serves once the registry
    has decided about the candidate before.
    """

    queue: list[Any] = field(default_factory=list)
    ended: list[Any] = field(default_factory=list)
    begun: int = 0
    renewed: int = 0
    away: int = 0
    champion: Serving | None = None
    champions: dict[str, Serving] = field(default_factory=dict)
    decided: Serving | None = None
    recorded: asyncio.Event = field(default_factory=asyncio.Event)
    attempts: dict[str, int] = field(default_factory=dict)

    async def listen(self) -> None:
        """See `worker.ports.Runs`, here and below."""

    async def claim(self, attempts: int) -> Run | None:
        """."""
        if not self.queue:
            return None
        spec, trigger = self.queue.pop(0)
        self.attempts[trigger.id] = self.attempts.get(trigger.id, 0) + 1
        assert self.attempts[trigger.id] <= attempts
        return Run(f"run-{trigger.id}", trigger, spec, self.attempts[trigger.id], "w", datetime.now(UTC))

    async def wait(self, seconds: float) -> None:
        """."""
        await self.recorded.wait()

    async def renew(self, run: Run) -> bool:
        """."""
        self.renewed += 1
        return True

    async def serving(self, model: str) -> Serving | None:
        """."""
        return self.champions.get(model, self.champion)

    async def verdict(self, model: str, patience: Any) -> None:
        """."""
        self.champion = self.decided or self.champion

    async def begin(self, run: Run, started: Any) -> None:
        """."""
        self.begun += 1

    async def finish(self, run: Run, result: Any) -> bool:
        """."""
        if self.away:
            self.away -= 1
            what = "PostgreSQL"
            raise UnavailableError(what, "stopped by the test")
        self.ended.append(result)
        return True

    async def hand_back(self, run: Run, pause: timedelta) -> None:
        """."""
        self.queue.append((run.spec, run.trigger))

    async def postpone(self, run: Run, pause: timedelta) -> None:
        """."""
        self.attempts[run.trigger.id] -= 1
        await self.hand_back(run, pause)


TRAINING = Training(Fitter(2), Scorer(2))


@dataclass
class Faked:
    """`worker.ports.Training` with one part or the other in place of the real one."""

    learn: Callable[..., Any] = TRAINING.learn
    judge: Callable[..., Any] = TRAINING.judge


class Pauses(Backoff):
    """Takes no time, and remembers after which attempts there was a pause."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "seen", [])

    def delay(self, attempt: int, rng: Any = None) -> float:
        """Remember the attempt."""
        self.seen.append(attempt)  # type: ignore[attr-defined]
        return 0.0


@dataclass
class Bench:
    """A worker and what it stands on."""

    runs: MemoryRuns
    data: Path
    artifacts: Path
    executor: ThreadPoolExecutor

    async def run(
        self, *asked: Any, training: Any = TRAINING, lease: float = 30, pause: Backoff | None = None
    ) -> list[Any]:
        """Let a worker bring these runs to their end, and leave; return how they ended."""
        leave, before = asyncio.Event(), len(self.runs.ended)
        self.runs.queue.extend(asked)
        store = Artifacts(str(self.artifacts))
        attempt = Attempt(self.runs, DeltaDatasets(str(self.data)), store, training, self.executor, "v1")
        work = asyncio.create_task(Worker(self.runs, attempt, leave, lease, 3, pause or Pauses()).work())
        async with asyncio.timeout(30):
            while len(self.runs.ended) < before + len(asked) and not work.done():
                await asyncio.sleep(0.01)
            leave.set()
            await work
        return self.runs.ended[before:]


@pytest.fixture
def bench(data: Path, tmp_path: Path) -> Iterator[Bench]:
    with ThreadPoolExecutor(1) as executor:
        yield Bench(MemoryRuns(), data, tmp_path / "artifacts", executor)


async def test_a_run_ends_with_a_model_and_complete_evidence(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    (trained,) = await bench.run((make.spec(), make.trigger()))
    assert isinstance(trained, ModelTrained)
    content = await Artifacts(str(bench.artifacts)).get(trained.digest)
    assert trained.size == len(content)
    evidence = trained.evidence
    assert (evidence.rows_holdout, evidence.seed, evidence.code_version) == (200, 7, "v1")
    assert evidence.rows_trained >= 1800
    assert evidence.as_of == make.trigger().at
    assert evidence.champion is None
    assert set(evidence.environment) > {"python", "platform", "lightgbm", "onnx", "onnxruntime"}
    assert "unknown" not in evidence.environment.values()


async def test_the_same_run_makes_the_same_bytes_and_the_champion_is_judged_beside_it(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    (first,) = await bench.run((make.spec(), make.trigger(name="one")))
    bench.runs.champion = Serving(4, first.digest)
    (second,) = await bench.run((make.spec(), make.trigger(name="two")))
    assert second.digest == first.digest
    assert second.evidence.training_set_digest == first.evidence.training_set_digest
    assert second.evidence.champion_version == 4
    assert second.evidence.champion is not None


async def test_a_champion_whose_artifact_is_gone_is_named_without_figures(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    bench.runs.champion = Serving(4, make.digest)
    (trained,) = await bench.run((make.spec(), make.trigger()))
    assert (trained.evidence.champion, trained.evidence.champion_version) == (None, 4)


async def test_the_candidate_before_may_have_become_the_champion_by_the_end(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    (first,) = await bench.run((make.spec(), make.trigger(name="one")))
    bench.runs.champion, bench.runs.decided = Serving(4, first.digest), Serving(5, first.digest)
    (second,) = await bench.run((make.spec(), make.trigger(name="two")))
    assert second.evidence.champion is not None
    assert second.evidence.champion_version == 5


@pytest.mark.parametrize(("promotions", "judged"), [(0, [4]), (1, [4, 5]), (1_000_000, [4, 5, 6])])
async def test_a_champion_that_changes_during_the_judgement_is_judged_too_within_bounds(
    bench: Bench, make: Any, promotions: int, judged: list[int]
) -> None:
    make.write_batch(bench.data, make.rows(2000))
    (first,) = await bench.run((make.spec(), make.trigger(name="one")))
    bench.runs.champion, seen = Serving(4, first.digest), []

    def judges_while_somebody_promotes(spec: Any, learned: Any, champion: Any) -> Any:
        seen.append(champion.version)
        bench.runs.champion = Serving(4 + min(len(seen), promotions), first.digest)
        return TRAINING.judge(spec, learned, champion)

    training = Faked(judge=judges_while_somebody_promotes)
    (second,) = await bench.run((make.spec(), make.trigger(name="two")), training=training)
    assert (seen, second.evidence.champion_version) == (judged, judged[-1])


async def test_a_candidate_of_long_categories_is_an_event_that_its_topic_takes(bench: Bench, make: Any) -> None:
    rows = make.rows(2000)
    columns = [f"text_{n:02}" for n in range(20)]
    long = (rows["flight_id"].str.slice(1).cast(pl.Int64) % 500).cast(pl.String) + "x" * 300
    make.write_batch(bench.data, rows.with_columns(long.alias(name) for name in columns))
    spec = make.spec(features={name: {"type": "category"} for name in columns}, gates={"slices": columns})
    (first,) = await bench.run((spec, make.trigger(name="one")))
    bench.runs.champion = Serving(1, first.digest)
    (second,) = await bench.run((spec, make.trigger(name="two")))
    assert len(second.model_dump_json().encode()) < BY_NAME[ModelTrained.topic].max_message_bytes // 2


async def test_too_few_rows_skip_the_run_before_it_is_said_to_have_started(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(26_398))
    spec = make.spec(trainer={"min_rows": 40_000})
    (skipped,) = await bench.run((spec, make.trigger()))
    assert isinstance(skipped, TrainingSkipped)
    assert (skipped.reason, skipped.run_id) == ("not_enough_data", "run-drift-1")
    assert skipped.detail == "26,398 of 40,000 rows; waiting for more batches"
    assert bench.runs.begun == 0


async def test_rows_outside_the_window_do_not_make_it_enough(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(3000))
    spec = make.spec(trainer={"window": "1d", "min_rows": 2000})
    (skipped,) = await bench.run((spec, make.trigger()))
    assert skipped.detail == "1,440 of 2,000 rows; waiting for more batches"


async def test_what_a_person_did_wrong_ends_the_run_with_a_sentence(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000).with_columns(late=1.0))
    failed = await bench.run(
        (make.spec(data={"dataset": "flight"}), make.trigger(name="dataset")),
        (make.spec(), make.trigger(name="label")),
        (make.spec(features={"wind": {"type": "float"}}), make.trigger(name="feature")),
    )
    make.write_batch(bench.data, make.rows(2000, seed=5), "b2")
    failed += await bench.run((make.spec(trainer={"params": {"num_leafs": 7}}), make.trigger(name="param")))
    assert all(isinstance(end, TrainingFailed) and end.attempts == 1 for end in failed)
    dataset, label, feature, param = (end.reason for end in failed)
    assert dataset == "there is no dataset 'flight': publish a batch to it, or correct `data.dataset` in the spec"
    assert feature == (
        "the dataset 'flights' has no column wind: publish batches that have it, take it out of the spec, or mark the"
        " feature as optional"
    )
    assert "both 0 and 1 are needed" in label
    assert "`num_leafs` is not a LightGBM parameter: did you mean `num_leaves`?" in param


async def test_what_breaks_without_a_known_cause_is_tried_three_times(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))

    def breaks(*_: Any) -> Any:
        message = "no such instruction"
        raise TypeError(message)

    pauses = Pauses()
    (failed,) = await bench.run((make.spec(), make.trigger()), training=Faked(learn=breaks), pause=pauses)
    assert (bench.runs.attempts, pauses.seen) == ({"drift-1": 3}, [1, 2])  # type: ignore[attr-defined]
    assert failed.reason == (
        "it broke 3 times, last with TypeError: no such instruction; nothing in the spec or the data is known to cause"
        " this, and the trainer's log has the details"
    )


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
