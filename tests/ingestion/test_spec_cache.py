"""The cached specs, and the wait for the first spec of a dataset."""

from __future__ import annotations

import asyncio

import pytest
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.datasets import DatasetApplied, DatasetRemoved
from rondo.contracts.events.models import ModelRemoved, SpecApplied
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.tasks.registry import UnknownTaskError, task_named
from rondo.ingestion.handlers import (
    on_dataset_applied,
    on_dataset_removed,
    on_model_removed,
    on_spec_applied,
)
from rondo.ingestion.spec_cache import SpecCache
from rondo.ingestion.validation.contract import NoContractError

from tests.ingestion.builders import NOW, declared_rides

SPEC = ModelSpec.model_validate(
    {
        "model": "trip",
        "data": {"dataset": "rides", "entity": "ride_id", "event_time": "at", "label": "late"},
        "features": {"distance": {"type": "float"}},
    }
)


async def test_a_batch_waits_for_the_spec_that_is_on_its_way() -> None:
    specs = SpecCache()
    waiting = asyncio.create_task(specs.wait_for_dataset("rides", seconds=10))
    await asyncio.sleep(0)
    assert not waiting.done()
    specs.put(SPEC, 1)
    await waiting
    assert specs.contract("rides")


async def test_the_latest_revision_stays_in_force_when_all_are_read_again() -> None:
    specs, later = SpecCache(), SPEC.model_copy(update={"data": SPEC.data.model_copy(update={"dataset": "trips"})})
    for spec, revision in ((SPEC, 1), (later, 2), (SPEC, 1)):
        await on_spec_applied(Envelope("x", "rondo/registry", NOW, applied(spec, revision)), specs)
    assert specs.contract("trips")
    with pytest.raises(NoContractError):
        specs.contract("rides")


def applied(spec: ModelSpec, revision: int) -> SpecApplied:
    return SpecApplied(model=spec.model, revision=revision, digest=spec.digest, spec=spec)


async def test_a_dataset_without_a_spec_is_an_error_after_the_wait() -> None:
    specs = SpecCache([SPEC])
    await specs.wait_for_dataset("flights", seconds=0.01)
    with pytest.raises(NoContractError) as caught:
        specs.contract("flights")
    assert caught.value.code == "no_contract"
    assert "'flights'" in str(caught.value)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
async def test_a_removed_model_has_no_spec_in_any_order_of_the_topics(order: tuple[int, ...]) -> None:
    specs = SpecCache()
    for revision in order:
        if revision == 1:
            await on_spec_applied(Envelope("x", "rondo/registry", NOW, applied(SPEC, 1)), specs)
        else:
            removed = ModelRemoved(model=SPEC.model, revision=2, decided_by="ana")
            await on_model_removed(Envelope("y", "rondo/registry", NOW, removed), specs)
    assert specs.labels == {}
    specs.put(SPEC, 3)
    assert specs.contract("rides")


def declared(revision: int) -> Envelope[DatasetApplied]:
    spec = declared_rides()
    event = DatasetApplied(dataset="rides", revision=revision, digest=spec.digest, spec=spec)
    return Envelope("x", "rondo/registry", NOW, event)


async def test_a_batch_waits_for_a_declared_dataset_that_no_model_uses() -> None:
    specs = SpecCache()
    waiting = asyncio.create_task(specs.wait_for_dataset("rides", seconds=10))
    await asyncio.sleep(0)
    await on_dataset_applied(declared(1), specs)
    await waiting
    assert specs.contract("rides").is_declared


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
async def test_a_removed_declaration_leaves_the_models_contract_in_any_order_of_the_topics(
    order: tuple[int, ...],
) -> None:
    specs = SpecCache([SPEC])
    for revision in order:
        if revision == 1:
            await on_dataset_applied(declared(1), specs)
        else:
            removed = DatasetRemoved(dataset="rides", revision=2, decided_by="ana")
            await on_dataset_removed(Envelope("y", "rondo/registry", NOW, removed), specs)
    assert not specs.contract("rides").is_declared
    await on_dataset_applied(declared(3), specs)
    assert specs.contract("rides").is_declared


async def on_model_reviewed_at(dataset_revision: int, specs: SpecCache) -> None:
    event = SpecApplied(model="trip", revision=1, digest=SPEC.digest, spec=SPEC, dataset_revision=dataset_revision)
    await on_spec_applied(Envelope("y", "rondo/registry", NOW, event), specs)


async def test_a_batch_waits_for_the_dataset_that_its_model_was_reviewed_against() -> None:
    """Topics have no order between them. The spec of the model alone would be another contract than that in force."""
    specs = SpecCache()
    await on_model_reviewed_at(1, specs)
    waiting = asyncio.create_task(specs.wait_for_dataset("rides", seconds=10))
    await asyncio.sleep(0)
    assert not waiting.done()
    await on_dataset_applied(declared(1), specs)
    await waiting
    assert specs.contract("rides").is_declared


async def test_a_dataset_whose_spec_does_not_arrive_has_no_contract() -> None:
    specs = SpecCache()
    await on_model_reviewed_at(1, specs)
    await specs.wait_for_dataset("rides", seconds=0.01)
    with pytest.raises(NoContractError) as caught:
        specs.contract("rides")
    assert str(caught.value) == "the spec of the dataset 'rides' has not arrived yet: send the batch again in a moment"


async def test_a_model_that_was_reviewed_after_a_removal_waits_for_the_removal() -> None:
    specs = SpecCache()
    await on_dataset_applied(declared(1), specs)
    await on_model_reviewed_at(2, specs)
    waiting = asyncio.create_task(specs.wait_for_dataset("rides", seconds=10))
    await asyncio.sleep(0)
    assert not waiting.done()
    removed = DatasetRemoved(dataset="rides", revision=2, decided_by="ana")
    await on_dataset_removed(Envelope("y", "rondo/registry", NOW, removed), specs)
    await waiting
    assert not specs.contract("rides").is_declared


async def test_a_model_and_a_dataset_of_one_name_have_revisions_of_their_own() -> None:
    specs = SpecCache()
    specs.put(SPEC.model_copy(update={"model": "rides"}), 7)
    await on_dataset_applied(declared(1), specs)
    assert specs.contract("rides").is_declared


def test_the_labels_are_those_of_the_task_and_an_unknown_task_affects_only_its_model() -> None:
    tasks = {"one": "binary", "two": "multiclass", "three": "regression", "four": "ranking"}
    labels = SpecCache(SPEC.model_copy(update={"model": name, "task": task}) for name, task in tasks.items()).labels
    assert [labels[name] for name in ("one", "two", "three")] == [
        task_named(tasks[name]).labels(None, None) for name in ("one", "two", "three")
    ]
    assert isinstance(labels["four"], UnknownTaskError)
