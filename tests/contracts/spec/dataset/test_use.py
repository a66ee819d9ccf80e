"""A model can use the columns of a declared dataset whose types it can read."""

from __future__ import annotations

from typing import Any

import pytest
from rondo.contracts.spec.dataset.use import ignored_keys, misfits

from tests.contracts.spec.dataset.builders import dataset_of, model_of

COLUMNS = {
    "temp": {"type": "float", "optional": True},
    "gusts": {"type": "int"},
    "sky": {"type": "category"},
    "fog": {"type": "bool", "optional": True},
}


@pytest.mark.parametrize(
    "model",
    [
        model_of(),
        model_of({"gusts": {"type": "int", "min": 3}, "sky": {"type": "category", "values": ["clear"]}}),
        model_of({"gusts": {"type": "float"}}),
        model_of(label="sky", positive="clear", negative="cloudy"),
        model_of(label="sky", task="multiclass"),
        model_of(label="gusts", task="multiclass"),
        model_of(label="gusts", task="regression"),
        model_of({"joined": {"type": "float", "from": "stations"}}),
    ],
)
def test_a_model_that_fits(model: Any) -> None:
    assert list(misfits(model, dataset_of(COLUMNS))) == []


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (model_of(entity="airport"), "`data.entity`"),
        (model_of(event_time="at"), "`data.event_time`"),
        (model_of(time_zone="UTC"), "`data.time_zone`"),
        (model_of({"rain": {"type": "float"}}), "no column rain"),
        (model_of({"temp": {"type": "int"}}), "the feature temp"),
        (model_of({"sky": {"type": "float"}}), "the feature sky"),
        (model_of(label="late"), "no column late"),
        (model_of(label="sky"), "the label sky"),
        (model_of(label="fog", positive="yes", negative="no"), "the label fog"),
        (model_of(label="sky", task="regression"), "the label sky"),
        (model_of({"gusts": {"type": "int"}}, label="temp", task="multiclass"), "the label temp"),
        (model_of(label="sky", positive="0", negative="2"), "`data.positive`"),
        (model_of(label="sky", positive="0", negative="1"), "`data.negative`"),
    ],
)
def test_a_model_that_does_not_fit_is_told_why(model: Any, named: str) -> None:
    assert any(named in sentence for sentence in misfits(model, dataset_of(COLUMNS)))


def test_a_model_needs_a_dataset_with_one_entity_column() -> None:
    (sentence,) = misfits(model_of(), dataset_of(COLUMNS, entity=["origin", "station"]))
    assert "origin, station" in sentence


def test_the_keys_that_the_dataset_decides_are_named() -> None:
    assert list(ignored_keys(model_of())) == []
    assert list(ignored_keys(model_of(max_bad_share=0.2, unknown_columns="reject"))) == [
        "data.max_bad_share", "data.unknown_columns",
    ]  # fmt: skip
