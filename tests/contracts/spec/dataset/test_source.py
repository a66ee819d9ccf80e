"""A model takes features from datasets that say when a row is known, by columns that its own rows have."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.spec.dataset.checks import dataset_problems
from rondo.contracts.spec.dataset.source import SourceDataset, source_names, source_of, source_problems
from rondo.contracts.spec.model import ModelSpec

from tests.contracts.spec.dataset.builders import dataset_of

if TYPE_CHECKING:
    from rondo.contracts.spec.dataset.section import DatasetSpec

COLUMNS = {"temp": {"type": "float", "optional": True}, "gusts": {"type": "int"}, "sky": {"type": "category"}}
CARRIER = {"type": "category"}


def model_of(**features: Any) -> ModelSpec:
    """Return a spec of flights with an origin, and with features of `weather`."""
    data = {"dataset": "flights", "entity": "flight", "event_time": "at", "label": "late"}
    return ModelSpec.model_validate({"model": "late", "data": data, "features": {"origin": CARRIER} | features})


def weather(**keys: Any) -> DatasetSpec:
    return dataset_of(COLUMNS, **{"known_after": "1h"} | keys)


def joined(kind: str = "float", **keys: Any) -> dict[str, Any]:
    return {"type": kind, "from": "weather"} | keys


@pytest.mark.parametrize(
    ("model", "source"),
    [
        (model_of(temp=joined(on=["origin"], max_age="4h")), weather()),
        (model_of(temp=joined()), weather()),
        (model_of(wind=joined(column="gusts", optional=True)), weather()),
        (model_of(sky=joined("category")), weather(known_after=None, known_at="sent_at")),
        (model_of(temp=joined(on=["flight"])), weather()),
        (model_of(temp=joined(on=["origin", "flight"])), weather(entity=["airport", "station"])),
        (model_of(), weather(known_after=None)),
    ],
)
def test_features_that_can_be_joined(model: ModelSpec, source: DatasetSpec) -> None:
    assert list(source_problems(model, {"weather": source})) == []


@pytest.mark.parametrize(
    ("model", "source", "named"),
    [
        (model_of(temp=joined()), None, "weather"),
        (model_of(temp=joined()), weather(known_after=None), "`known_after`"),
        (model_of(rain=joined()), weather(), "no column rain"),
        (model_of(temp=joined(column="rain")), weather(), "no column rain"),
        (model_of(temp=joined("int")), weather(), "the feature temp is int"),
        (model_of(sky=joined("float")), weather(), "the feature sky is float"),
        (model_of(temp=joined(min=3)), weather(), "`min`"),
        (model_of(sky=joined("category", values=["clear"])), weather(), "`values`"),
        (model_of(temp=joined(on=["station"])), weather(), "station"),
        (model_of(temp=joined()), weather(entity=["station"]), "station"),
        (model_of(temp=joined(on=["origin", "flight"])), weather(), "`on`"),
        (model_of(temp=joined(on=["origin"])), weather(entity=["airport", "station"]), "airport, station"),
        (model_of(number={"type": "int"}, temp=joined(on=["number"])), weather(), "number"),
        (model_of(sky=joined("category"), temp=joined(on=["sky"])), weather(), "sky"),
        (model_of(x={"type": "float", "max_age": "4h"}), weather(), "`max_age` without `from`"),
        (model_of(x={"type": "float", "on": ["origin"]}), weather(), "`on` without `from`"),
        (model_of(x={"type": "float", "column": "temp"}), weather(), "`column` without `from`"),
        (model_of(x={"type": "float", "from": "flights"}), weather(), "the rows themselves"),
    ],
)
def test_features_that_can_not_be_joined(model: ModelSpec, source: DatasetSpec | None, named: str) -> None:
    problems = list(source_problems(model, {} if source is None else {"weather": source}))
    assert any(named in problem for problem in problems)


@pytest.mark.parametrize("keys", [{"known_after": "1h"}, {"known_after": None, "known_at": "sent_at"}])
def test_an_event_carries_what_a_join_needs(keys: dict[str, Any]) -> None:
    spec, model = weather(**keys), model_of(temp=joined(column="temp", on=["origin"], max_age="4h"))
    applied = SpecApplied(model="late", revision=1, digest=model.digest, spec=model, sources=(source_of(spec),))
    read = SpecApplied.model_validate_json(applied.model_dump_json())
    assert read == applied
    assert read.spec.digest == model.digest
    assert source_names(read.spec) == ("weather",)
    known_after = timedelta(hours=1) if spec.known_at is None else timedelta(0)
    assert read.sources == (
        SourceDataset(
            dataset="weather", digest=spec.digest, entity=("origin",), event_time="time_hour",
            known_at=spec.known_at, known_after=known_after,
        ),
    )  # fmt: skip


def test_a_spec_without_the_new_keys_has_no_trace_of_them() -> None:
    assert '"column"' not in model_of().canonical_json()
    assert "known_a" not in dataset_of(COLUMNS).canonical_json()


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"known_at": "sent_at", "known_after": "1h"}, ("known_at",)),
        ({"known_at": "time_hour"}, ("known_at",)),
        ({"known_at": "origin"}, ("known_at",)),
        ({"known_at": "temp"}, ("columns", "temp")),
        ({"known_at": "Temp"}, ("columns", "temp")),
        ({"known_at": "batch_id"}, ("known_at",)),
    ],
)
def test_a_time_of_knowledge_is_a_column_of_its_own(keys: dict[str, Any], path: tuple[str, ...]) -> None:
    spec = {"entity": ["origin"], "event_time": "time_hour", "columns": COLUMNS} | keys
    assert path in [problem.path for problem in dataset_problems(spec)]
