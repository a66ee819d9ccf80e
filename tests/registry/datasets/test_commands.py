"""Dataset specs are applied, refused and removed, on the store in memory and on real PostgreSQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.spec import support_checks
from rondo.contracts.spec.data import Feature
from rondo.contracts.spec.dataset.section import DatasetSpec
from rondo.contracts.spec.dataset.source import source_of
from rondo.contracts.spec.model import ModelSpec
from rondo.registry import commands
from rondo.registry.datasets.commands import AppliedContract, apply_dataset, remove_dataset
from rondo.registry.errors import DatasetInUseError, RefusedDatasetError, RefusedSpecError, UnknownDatasetError

from tests.registry.fakes import FakeStore
from tests.registry.scenarios import ANA, apply, audit_of, handle, published_types

if TYPE_CHECKING:
    from tests.registry.conftest import MakeTrained
    from tests.registry.scenarios import Backend

COLUMNS: dict[str, Any] = {
    "carrier": {"type": "category"}, "distance": {"type": "float", "optional": True}, "late": {"type": "bool"},
}  # fmt: skip


def flights(columns: dict[str, Any] | None = None, **keys: Any) -> DatasetSpec:
    known = {"kind": "dataset", "dataset": "flights", "entity": ["id"], "event_time": "at"}
    return DatasetSpec.model_validate(known | {"columns": COLUMNS | (columns or {})} | keys)


async def declare(store: Backend, spec: DatasetSpec) -> AppliedContract:
    async with store.work() as work:
        return await apply_dataset(work, spec, ANA.actor)


async def undeclare(store: Backend, name: str = "flights") -> int:
    async with store.work() as work:
        return await remove_dataset(work, name, ANA.actor)


async def test_the_same_spec_twice_changes_nothing(store: Backend) -> None:
    assert await declare(store, flights()) == AppliedContract(1, changed=True)
    assert await declare(store, flights()) == AppliedContract(1, changed=False)
    assert await published_types(store) == ["DatasetApplied"]
    assert (await store.dataset("flights")).spec == flights()
    assert [each.name for each in await store.datasets()] == ["flights"]


async def test_a_change_is_listed_published_and_audited(store: Backend) -> None:
    await declare(store, flights())
    applied = await declare(store, flights({"gate": {"type": "category"}, "wind": {"type": "float", "optional": True}}))
    assert (applied.revision, [(each.column, each.change) for each in applied.changes]) == (
        2, [("gate", "added"), ("wind", "added")],
    )  # fmt: skip
    assert [warning.split()[0] for warning in applied.warnings] == ["gate"]
    records = await audit_of(store, "dataset.flights")
    assert [(record.action, record.decided_by) for record in records] == [("dataset_applied", "ana")] * 2
    assert json.loads(records[1].evidence)["changes"] == [each.message for each in applied.changes]


async def test_a_change_that_stored_rows_forbid_leaves_nothing_behind(store: Backend) -> None:
    await declare(store, flights())
    for spec in (flights({"late": {"type": "category"}}), flights(entity=["id", "leg"])):
        with pytest.raises(RefusedDatasetError):
            await declare(store, spec)
    assert (await store.dataset("flights")).history == (flights(),)
    assert await published_types(store) == ["DatasetApplied"]


async def test_a_removal_does_not_make_the_types_of_stored_rows_free(store: Backend) -> None:
    await declare(store, flights())
    assert await undeclare(store) == 2
    assert list(await store.datasets()) == []
    with pytest.raises(UnknownDatasetError):
        await store.dataset("flights")
    with pytest.raises(RefusedDatasetError):
        await declare(store, flights({"late": {"type": "category"}}))
    assert (await declare(store, flights())).revision == 3
    assert await published_types(store) == ["DatasetApplied", "DatasetRemoved", "DatasetApplied"]
    assert [record.action for record in await audit_of(store, "dataset.flights")] == [
        "dataset_applied", "dataset_removed", "dataset_applied",
    ]  # fmt: skip


async def test_what_is_not_declared_can_not_be_removed(store: Backend) -> None:
    await declare(store, flights())
    with pytest.raises(UnknownDatasetError) as caught:
        await undeclare(store, "boats")
    assert caught.value.known == ("flights",)


async def test_a_model_spec_must_fit_its_declared_dataset(store: Backend, spec: ModelSpec) -> None:
    narrower = flights()
    del narrower.columns["distance"]
    await declare(store, narrower)
    with pytest.raises(RefusedSpecError) as caught:
        await apply(store, spec)
    assert ["distance" in problem for problem in caught.value.problems] == [True]
    assert list(await store.models()) == []
    await declare(store, flights())
    assert (await apply(store, spec)).revision == 1


async def test_a_dataset_is_not_changed_under_the_models_that_use_it(store: Backend, spec: ModelSpec) -> None:
    await declare(store, flights())
    await apply(store, spec)
    without = flights()
    del without.columns["distance"]
    with pytest.raises(RefusedDatasetError) as refused:
        await declare(store, without)
    assert all("late" in problem and "distance" in problem for problem in refused.value.problems)
    with pytest.raises(DatasetInUseError) as in_use:
        await undeclare(store)
    assert in_use.value.models == ("late",)
    async with store.work() as work:
        await commands.remove(work, "late", ANA, None)
    assert (await declare(store, without)).revision == 2
    assert await undeclare(store) == 3


async def test_a_dataset_can_be_declared_under_a_model_that_fits_it(store: Backend, spec: ModelSpec) -> None:
    await apply(store, spec)
    with pytest.raises(RefusedDatasetError):
        await declare(store, flights(event_time="departed"))
    assert (await declare(store, flights())).changed


async def test_a_key_of_the_model_that_does_nothing_is_warned_of(store: Backend, spec: ModelSpec) -> None:
    await declare(store, flights())
    loose = ModelSpec.model_validate(spec.as_dict() | {"data": {**spec.as_dict()["data"], "max_bad_share": 0.5}})
    assert any("max_bad_share" in warning for warning in (await apply(store, loose)).warnings)


def with_texts(spec: ModelSpec, model: str, positive: str, negative: str) -> ModelSpec:
    known = spec.as_dict()
    data = known["data"] | {"positive": positive, "negative": negative}
    return ModelSpec.model_validate(known | {"model": model, "data": data})


async def test_no_model_reads_the_labels_of_older_rows_the_other_way_round(store: Backend, spec: ModelSpec) -> None:
    """Rows from before the declaration have 1 for the positive text of the models of that time, even removed ones."""
    texts = flights({"late": {"type": "category"}})
    await apply(store, with_texts(spec, "late", "late", "on_time"))
    async with store.work() as work:
        await commands.remove(work, "late", ANA, None)
    await apply(store, with_texts(spec, "early", "on_time", "late"))
    with pytest.raises(RefusedDatasetError):
        await declare(store, texts)
    async with store.work() as work:
        await commands.remove(work, "early", ANA, None)
    await declare(store, texts)
    for positive, negative in (("on_time", "late"), ("cancelled", "on_time")):
        with pytest.raises(RefusedSpecError):
            await apply(store, with_texts(spec, "punctual", positive, negative))


async def test_models_of_a_dataset_without_older_rows_have_the_texts_they_want(store: Backend, spec: ModelSpec) -> None:
    await declare(store, flights({"late": {"type": "category"}}))
    for model, positive in (("late", "late"), ("cancelled", "cancelled")):
        assert (await apply(store, with_texts(spec, model, positive, "on_time"))).changed
    await declare(store, flights({"late": {"type": "category"}, "gate": {"type": "category", "optional": True}}))
    assert (await apply(store, with_texts(spec, "punctual", "on_time", "late"))).changed


async def test_a_column_of_older_rows_has_no_other_capitals(store: Backend, spec: ModelSpec) -> None:
    await apply(store, spec)
    async with store.work() as work:
        await commands.remove(work, "late", ANA, None)
    renamed = flights({"Distance": {"type": "float", "optional": True}})
    del renamed.columns["distance"]
    with pytest.raises(RefusedDatasetError):
        await declare(store, renamed)
    assert (await declare(store, flights())).changed


@pytest.mark.parametrize("column", ["id", "distance", "late"])
async def test_a_column_of_older_rows_that_is_no_time_does_not_become_known_at(
    store: Backend, spec: ModelSpec, column: str
) -> None:
    await apply(store, spec)
    async with store.work() as work:
        await commands.remove(work, "late", ANA, None)
    known = flights(entity=["flight"], known_at=column) if column == "id" else flights()
    if column != "id":
        columns = {name: each for name, each in known.as_dict()["columns"].items() if name != column}
        known = DatasetSpec.model_validate(known.as_dict() | {"columns": columns, "known_at": column})
    with pytest.raises(RefusedDatasetError):
        await declare(store, known)
    assert (await declare(store, flights(known_at="sent_at"))).changed


@pytest.mark.parametrize("revision", [0, 1, 2])
async def test_the_event_of_a_model_names_the_revision_of_its_dataset(spec: ModelSpec, revision: int) -> None:
    store = FakeStore()
    if revision:
        await declare(store, flights())
    if revision > 1:
        await undeclare(store)
    await apply(store, spec)
    [applied] = [event for _, event in store.state.published if isinstance(event, SpecApplied)]
    assert applied.dataset_revision == revision


def weather(**keys: Any) -> DatasetSpec:
    known = {"kind": "dataset", "dataset": "weather", "entity": ["carrier"], "event_time": "at", "known_after": "1h"}
    return DatasetSpec.model_validate(known | {"columns": {"temp": {"type": "float"}}} | keys)


def with_weather(spec: ModelSpec, **keys: Any) -> ModelSpec:
    """Return the spec with features that are joined from `weather`."""
    joined = Feature.model_validate({"type": "float", "from": "weather", "max_age": "4h"} | keys)
    return spec.model_copy(update={"features": {**spec.features, "temp": joined}})


@pytest.fixture
def joins_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lift the refusal of joined features, which holds until serving can look their values up."""
    monkeypatch.setattr(support_checks, "joined_features", lambda _features: ())


async def test_joined_features_are_refused_until_they_can_be_served(store: Backend, spec: ModelSpec) -> None:
    await declare(store, weather())
    with pytest.raises(RefusedSpecError) as caught:
        await apply(store, with_weather(spec))
    assert "`features.temp.from`" in str(caught.value)


@pytest.mark.usefixtures("joins_are_allowed")
async def test_a_source_of_features_is_declared_before_the_model_and_stays(store: Backend, spec: ModelSpec) -> None:
    model = with_weather(spec)
    with pytest.raises(RefusedSpecError):
        await apply(store, model)
    await declare(store, weather())
    assert (await apply(store, model)).revision == 1
    for changed in (weather(known_after=None), weather(columns={"rain": {"type": "float"}})):
        with pytest.raises(RefusedDatasetError) as refused:
            await declare(store, changed)
        assert any("late" in problem for problem in refused.value.problems)
    with pytest.raises(DatasetInUseError) as in_use:
        await undeclare(store, "weather")
    assert in_use.value.models == ("late",)
    wider = weather(columns={"temp": {"type": "float", "optional": True}, "rain": {"type": "float", "optional": True}})
    assert (await declare(store, wider)).revision == 2
    async with store.work() as work:
        await commands.remove(work, "late", ANA, None)
    assert await undeclare(store, "weather") == 3


@pytest.mark.usefixtures("joins_are_allowed")
async def test_a_source_stays_while_a_version_needs_it(store: Backend, spec: ModelSpec, trained: MakeTrained) -> None:
    """The spec in force takes nothing from the source. The champion does, and then the target of a rollback."""
    joined = with_weather(spec)
    await declare(store, weather())
    await apply(store, joined)
    await handle(store, trained("run-1", spec=joined), "t1")
    await apply(store, spec)
    for event in (
        trained("run-2", spec=spec),
        trained("run-3", spec=spec, auc=0.8, champion=(2, 0.7)),
    ):
        with pytest.raises(DatasetInUseError) as in_use:
            await undeclare(store, "weather")
        assert in_use.value.models == ("late",)
        with pytest.raises(RefusedDatasetError):
            await declare(store, weather(columns={"rain": {"type": "float"}}))
        await handle(store, event, event.run_id)
    assert await undeclare(store, "weather") == 2


@pytest.mark.usefixtures("joins_are_allowed")
async def test_the_event_of_a_model_has_what_its_joins_need(spec: ModelSpec) -> None:
    store = FakeStore()
    await declare(store, weather())
    await apply(store, with_weather(spec))
    [applied] = [event for _, event in store.state.published if isinstance(event, SpecApplied)]
    assert applied.sources == (source_of(weather()),)
