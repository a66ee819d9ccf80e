"""What a dataset must look like."""

from __future__ import annotations

import pytest
from rondo.ingestion.validation.contract import NoContractError, contract_of

from tests.ingestion.builders import spec


def test_two_models_ask_for_the_strictest_of_both() -> None:
    other = spec("fares", distance={"type": "float", "min": 1}, rain={"type": "float"})
    contract = contract_of("rides", [spec(), other])
    by_name = {column.name: column for column in contract.columns}
    assert (by_name["distance"].low, by_name["distance"].high) == (1, 1000)
    assert not by_name["rain"].optional
    assert contract.digest != contract_of("rides", [spec()]).digest


def test_a_spec_of_before_the_rule_may_have_its_entity_as_a_feature_and_goes_on() -> None:
    contract = contract_of("rides", [spec(ride={"type": "category"})])
    assert [column.kind for column in contract.columns if column.name == "ride"] == ["entity"]


def test_models_that_disagree_are_named() -> None:
    other = spec("fares", distance={"type": "category"})
    with pytest.raises(NoContractError) as raised:
        contract_of("rides", [spec(), other])
    assert str(raised.value) == (
        "the models of dataset 'rides' disagree: column 'distance' is float for 'tips' and category for another; "
        "make the specs agree, or use two datasets"
    )


def test_an_unknown_dataset_suggests_the_close_one() -> None:
    with pytest.raises(NoContractError) as raised:
        contract_of("ride", [spec()])
    assert str(raised.value) == (
        "no model has the dataset 'ride'; did you mean 'rides'? Apply a spec with `data: {dataset: ride}` first"
    )
