"""The gates of the registry on the artifact and its evidence judge trainings of a real worker."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.training import ModelTrained
from rondo.contracts.vocabularies import GateName
from rondo.registry.handlers import event_handlers

from tests.registry.fakes import FakeStore
from tests.registry.scenarios import apply
from tests.trainer import builders

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.events.models import GateResult

    from tests.trainer.worker_harness import WorkerHarness

pytestmark = pytest.mark.medium
SPEC = builders.spec(gates={"roc_auc": {"not_worse_than_champion": 0.9}})
COMPARED = "roc_auc.not_worse_than_champion"


class Platform:
    """The trainer's worker and the registry's handlers, with one artifact store."""

    def __init__(self, harness: WorkerHarness) -> None:
        self.harness, self.registry = harness, FakeStore()

    async def start(self) -> None:
        builders.write_batch(self.harness.data, builders.rows(2_000))
        await apply(self.registry, SPEC)  # type: ignore[arg-type] - the part of the backend that it needs

    def add_rows(self, day: int) -> None:
        later = builders.rows(400, builders.START + timedelta(days=day), f"day{day}-", seed=day)
        builders.write_batch(self.harness.data, later, f"b{day}")

    async def train(self, name: str) -> ModelTrained:
        (trained,) = await self.harness.run((SPEC, builders.trigger("manual", name=name)))
        assert isinstance(trained, ModelTrained), trained
        return trained

    async def evaluate(self, trained: ModelTrained) -> tuple[int, dict[str, GateResult]]:
        """Return the number of the version that the registry makes of a training, and the results of its gates."""
        envelope: Envelope[Any] = Envelope(trained.run_id, "test", trained.finished_at, trained)
        async with self.registry.handling(envelope) as work:
            await event_handlers(Artifacts(str(self.harness.artifacts)))[ModelTrained](envelope, work)  # type: ignore[arg-type]
        number = (await self.registry.model(SPEC.model)).last_version
        version = await self.registry.version(SPEC.model, number)
        return number, {gate.gate: gate for gate in version.candidate.gates}

    async def champion(self) -> int | None:
        champion = (await self.registry.model(SPEC.model)).champion
        return champion and champion.number

    def stored(self, digest: str) -> Path:
        (found,) = (each for each in self.harness.artifacts.rglob("*") if digest.removeprefix("sha256:") in each.name)
        return found


@pytest.fixture
async def platform(harness: WorkerHarness) -> Platform:
    made = Platform(harness)
    await made.start()
    return made


def failed(gates: dict[str, GateResult]) -> list[str]:
    return [name for name, gate in gates.items() if not gate.passed]


async def test_the_artifact_of_a_training_without_new_rows_is_refused_as_not_new(platform: Platform) -> None:
    first = await platform.train("one")
    number, gates = await platform.evaluate(first)
    assert (number, failed(gates), await platform.champion()) == (1, [], 1)
    assert GateName.NEW_ARTIFACT in gates
    platform.harness.set_champion(1, first.digest)
    same = await platform.train("two")
    assert same.digest == first.digest
    _, gates = await platform.evaluate(same)
    assert (failed(gates), await platform.champion()) == ([GateName.NEW_ARTIFACT], 1)
    assert "version 1, which serves" in gates[GateName.NEW_ARTIFACT].message
    platform.add_rows(5)
    _, gates = await platform.evaluate(await platform.train("three"))
    assert (failed(gates), await platform.champion()) == ([], 3)


@pytest.mark.parametrize("damage", ["lost", "other bytes"])
@pytest.mark.parametrize(
    ("part", "gate"), [("digest", GateName.SOUND_ARTIFACT), ("evidence", GateName.USABLE_EVIDENCE)]
)
async def test_a_training_of_which_the_store_lost_or_damaged_a_part_is_refused_by_one_gate(
    platform: Platform, part: str, gate: GateName, damage: str
) -> None:
    trained = await platform.train("one")
    file = platform.stored(getattr(trained, part))
    content = file.read_bytes()
    if damage == "lost":
        file.unlink()
    else:
        file.chmod(0o600)
        file.write_bytes(content[:-1] + b"!")
    _, gates = await platform.evaluate(trained)
    assert (failed(gates), await platform.champion()) == ([gate], None)
    assert (GateName.PARITY in gates) == (part != "evidence"), "the evidence says what the other gates judge"
    file.write_bytes(content)
    _, gates = await platform.evaluate(trained.model_copy(update={"run_id": "run-again"}))
    assert (failed(gates), await platform.champion()) == ([], 2)
    assert GateName.PARITY in gates


async def test_a_training_that_was_compared_with_an_earlier_champion_is_refused_and_repeated(
    platform: Platform,
) -> None:
    first = await platform.train("one")
    await platform.evaluate(first)
    platform.harness.set_champion(1, first.digest)
    platform.add_rows(5)
    second = await platform.train("two")
    platform.add_rows(6)
    # Version 2 takes over while this one trains.
    third = await platform.train("three")
    _, gates = await platform.evaluate(second)
    assert (failed(gates), await platform.champion()) == ([], 2)
    assert gates[COMPARED].observed is not None
    _, gates = await platform.evaluate(third)
    assert (failed(gates), await platform.champion()) == ([GateName.STALE_CHAMPION], 2)
    assert all(part in gates[GateName.STALE_CHAMPION].message for part in ("version 2 serves", "version 1 was scored"))
    platform.harness.set_champion(2, second.digest)
    _, gates = await platform.evaluate(await platform.train("again"))
    assert (failed(gates), await platform.champion()) == ([], 4)
    assert gates[COMPARED].observed is not None
