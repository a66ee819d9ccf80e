"""The model spec as a value: the same meaning has the same digest, and JSON round trips keep it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from rondo.contracts.spec.file import parse_spec
from rondo.contracts.spec.model import Data, Feature, ModelSpec, Trainer

SPEC = """\
model: flight-delay
data: {dataset: flights, entity: flight_id, event_time: departure, label: late, label_delay: 6h}
features: {carrier: {type: category}, temp: {type: float, optional: true}}
trainer: {params: {n_estimators: 100, learning_rate: 0.1}}
"""
DIGEST = "sha256:87234d903b66f2f4e290ae70d54fc394a7e1dd28d38e3cc4551c6f20566b951b"


@pytest.mark.parametrize(
    "same",
    [
        SPEC.replace("n_estimators: 100, learning_rate: 0.1", "learning_rate: 0.1, n_estimators: 100"),
        SPEC.replace("6h", "360m"),
        "# a comment\n" + SPEC.replace(", ", ",   "),
        SPEC + "monitor: {false_alarm_rate: 0.01}\n",
        "\n".join(reversed(SPEC.splitlines())),
    ],
    ids=["order of parameters", "unit", "formatting", "default written out", "order of parts"],
)
def test_the_same_meaning_has_the_same_digest(same: str) -> None:
    assert parse_spec(same).digest == parse_spec(SPEC).digest


@pytest.mark.parametrize(
    "other",
    [
        SPEC.replace("100", "101"),
        SPEC.replace("6h", "7h"),
        SPEC.replace(
            "carrier: {type: category}, temp: {type: float, optional: true}",
            "temp: {type: float, optional: true}, carrier: {type: category}",
        ),
    ],
    ids=["parameter", "duration", "order of the features, which is the model's signature"],
)
def test_another_meaning_has_another_digest(other: str) -> None:
    assert parse_spec(other).digest != parse_spec(SPEC).digest


def test_the_digest_is_the_same_in_every_process_and_release() -> None:
    """Runs refer to the digest. If this fails, undo the change, or explain in a decision why every digest changes."""
    assert with_a_join().digest == DIGEST


def with_a_join() -> ModelSpec:
    """Return a spec with features that a file can't use yet."""
    joined = {"temp": {"type": "float", "from": "weather", "on": ["origin"]}}
    spec = parse_spec(SPEC).as_dict()
    return ModelSpec.model_validate(spec | {"features": spec["features"] | joined})


def test_canonical_json_reads_back() -> None:
    spec = with_a_join()
    assert ModelSpec.from_json(spec.canonical_json()) == spec
    assert ModelSpec.model_validate(spec.as_dict()) == spec
    assert '"from":"weather"' in spec.canonical_json()


durations = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=400))
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
params = st.dictionaries(
    texts,
    st.one_of(
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
        st.booleans(),
    ),
    max_size=5,
)


@given(params, durations)
def test_every_spec_survives_its_own_json(params: dict[str, int | float | str | bool], delay: timedelta) -> None:
    spec = ModelSpec(
        model="m",
        data=Data(dataset="d", entity="e", event_time="t", label="y", label_delay=delay),
        features={"x": Feature.model_validate({"type": "float", "from": "w", "max_age": delay})},
        trainer=Trainer(params=params),
    )
    again = ModelSpec.from_json(spec.canonical_json())
    assert (again, again.digest) == (spec, spec.digest)
    kept = again.trainer.params
    assert {name: type(value) for name, value in kept.items()} == {name: type(value) for name, value in params.items()}


@given(params)
def test_the_order_of_parameters_never_matters(params: dict[str, int | float | str | bool]) -> None:
    backwards = dict(reversed(params.items()))
    assert Trainer(params=params).model_dump_json() == Trainer(params=backwards).model_dump_json()


def test_a_spec_is_frozen() -> None:
    with pytest.raises(ValidationError) as caught:
        parse_spec(SPEC).model = "other"
    assert [fault["type"] for fault in caught.value.errors()] == ["frozen_instance"]


def test_a_gate_that_is_newer_than_the_digests_is_left_out_where_there_is_none() -> None:
    plain = parse_spec(SPEC)
    costs = plain.as_dict() | {"prediction": {"cost": {"false_positive": 1, "false_negative": 5}}}
    gated = ModelSpec.model_validate(costs | {"gates": {"cost": {"max": 0.5}}})
    assert "cost" not in plain.as_dict()["gates"]
    assert gated.gates.metrics["cost"].max == 0.5
    assert ModelSpec.from_json(gated.canonical_json()) == gated
