"""The contract of a dataset."""

from __future__ import annotations

import re

import pytest
from rondo.ingestion.validation.contract import NoContractError, contract_of

from tests.ingestion.builders import declared_rides, spec


def test_two_models_of_a_dataset_get_the_strictest_bounds_of_both() -> None:
    other = spec("fares", distance={"type": "float", "min": 1}, rain={"type": "float"})
    contract = contract_of("rides", [spec(), other])
    by_name = {column.name: column for column in contract.columns}
    assert (by_name["distance"].low, by_name["distance"].high) == (1, 1000)
    assert not by_name["rain"].optional
    assert contract.digest != contract_of("rides", [spec()]).digest


def test_an_older_spec_with_its_entity_as_a_feature_stays_valid() -> None:
    contract = contract_of("rides", [spec(ride={"type": "category"})])
    assert [column.kind for column in contract.columns if column.name == "ride"] == ["entity"]


def test_models_that_disagree_are_named() -> None:
    other = spec("fares", distance={"type": "category"})
    with pytest.raises(NoContractError) as raised:
        contract_of("rides", [spec(), other])
    assert re.findall("'[a-z]+'|category|float", str(raised.value)) == [
        "'rides'", "'distance'", "category", "'fares'", "float", "'tips'",
    ]  # fmt: skip


def test_models_that_swap_the_labels_disagree() -> None:
    swapped = spec("fares")
    data = swapped.data.model_copy(update={"positive": "0", "negative": "1"})
    with pytest.raises(NoContractError) as raised:
        contract_of("rides", [spec(), swapped.model_copy(update={"data": data})])
    assert [name in str(raised.value) for name in ("'rides'", "'fares'", "'tips'")] == [True] * 3


@pytest.mark.parametrize(
    ("task", "expected"),
    [("regression", "a finite number"), ("multiclass", "a text of 1 to 256 characters, or a whole number")],
)
def test_models_with_different_tasks_on_one_label_are_named(task: str, expected: str) -> None:
    with pytest.raises(NoContractError) as raised:
        contract_of("rides", [spec(), spec("fares", task=task)])
    assert str(raised.value) == (
        f"the models of dataset 'rides' disagree: column 'tipped' is {expected} for 'fares' and "
        f"{spec().labels.expected} for 'tips'; change one of the specs, or use two datasets"
    )


def test_names_that_differ_by_capitals_are_named() -> None:
    with pytest.raises(NoContractError) as raised:
        contract_of("rides", [spec(), spec("fares", data={"entity": "Ride"})])
    assert str(raised.value) == (
        "the models of dataset 'rides' disagree: column 'Ride' of 'fares' is 'ride' for 'tips', and tables can't tell "
        "them apart; change one of the specs, or use two datasets"
    )


def test_models_with_different_zones_are_named() -> None:
    with pytest.raises(NoContractError) as raised:
        contract_of("rides", [spec(data={"time_zone": "UTC"}), spec("fares", data={"time_zone": "Europe/Berlin"})])
    assert str(raised.value) == (
        "the models of dataset 'rides' disagree: column 'started' is in Europe/Berlin for 'fares' and in UTC for "
        "'tips'; change one of the specs, or use two datasets"
    )
    one = contract_of("rides", [spec(data={"time_zone": "UTC"}), spec("fares")])
    assert {column.zone for column in one.columns if column.kind == "time"} == {"UTC"}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_models_with_one_task_share_the_label_column(task: str) -> None:
    contract = contract_of("rides", [spec(task=task), spec("fares", task=task)])
    assert [column.labels for column in contract.columns if column.kind == "label"] == [spec(task=task).labels]


def test_models_with_different_tasks_may_have_labels_of_their_own() -> None:
    other = spec("fares", task="multiclass", data={"label": "paid_with"})
    contract = contract_of("rides", [spec(), other])
    assert {column.name: column.labels for column in contract.columns if column.kind == "label"} == {
        "tipped": spec().labels, "paid_with": other.labels,
    }  # fmt: skip


def test_a_model_with_an_unknown_task_is_named() -> None:
    with pytest.raises(NoContractError) as raised:
        contract_of("rides", [spec(), spec("fares", task="ranking")])
    assert str(raised.value) == (
        "the model 'fares' of dataset 'rides' has the task 'ranking', which this release of ingestion does not know: "
        "upgrade ingestion, or apply the spec with a task that it knows (binary, multiclass, regression), then send "
        "the batch again"
    )
    assert contract_of("rides", [spec(), spec("fares", "fares", task="ranking")])


def test_a_feature_of_an_unknown_type_is_named() -> None:
    with pytest.raises(NoContractError) as raised:
        contract_of("rides", [spec(), spec("fares", at={"type": "timestamp"})])
    assert str(raised.value) == (
        "the model 'fares' of dataset 'rides': the column at has the type 'timestamp', which this release of ingestion "
        "does not know: upgrade ingestion, then send the batch again"
    )
    assert contract_of("rides", [spec(), spec("fares", "fares", at={"type": "timestamp"})])


def test_a_column_names_the_models_that_require_it() -> None:
    other = spec("fares", rain={"type": "float"}, speed={"type": "float"})
    by_name = {column.name: column for column in contract_of("rides", [spec(), other]).columns}
    assert (by_name["speed"].models, by_name["rain"].models) == (("fares",), ("fares",))
    assert by_name["distance"].models == ("fares", "tips")


def test_each_model_has_its_row_key() -> None:
    other = spec("fares")
    data = other.data.model_copy(update={"entity": "driver"})
    contract = contract_of("rides", [spec(), other.model_copy(update={"data": data})])
    assert contract.row_keys == (("started", "driver"), ("started", "ride"))


def test_an_unknown_dataset_suggests_the_close_one() -> None:
    with pytest.raises(NoContractError) as raised:
        contract_of("ride", [spec()])
    assert re.findall("'[a-z]+'|`.*`", str(raised.value)) == ["'ride'", "'rides'", "`data: {dataset: ride}`"]


def test_a_declared_dataset_has_its_own_contract_alone() -> None:
    """No model is needed, and narrower limits of a model reject nothing."""
    own = declared_rides()
    alone = contract_of("rides", [], {"rides": own})
    used = contract_of("rides", [spec(distance={"type": "float", "min": 5}, wind={"type": "float"})], {"rides": own})
    assert (alone.digest, used.digest) == (own.digest, own.digest)
    assert alone.names == used.names == ("ride", "started", "zone", "distance", "stops", "night", "rain", "tipped")
    assert [column.low for column in used.columns if column.name == "distance"] == [0]
    assert (alone.row_keys, alone.max_bad_share) == ((("started", "ride"),), 0.2)


def test_a_column_of_a_declared_dataset_names_the_models_that_need_it() -> None:
    contract = contract_of("rides", [spec(), spec("fares", stops={"type": "int", "optional": True})],
                           {"rides": declared_rides()})  # fmt: skip
    assert {column.name: column.models for column in contract.columns} == {
        "ride": ("fares", "tips"), "started": ("fares", "tips"), "zone": ("fares", "tips"),
        "distance": ("fares", "tips"), "stops": ("tips",), "night": ("fares", "tips"), "rain": (),
        "tipped": ("fares", "tips"),
    }  # fmt: skip


def test_the_time_since_which_a_row_is_known_is_a_required_time() -> None:
    contract = contract_of("rides", [spec()], {"rides": declared_rides(known_at="sent", time_zone="UTC")})
    assert contract.event_time == "started"
    times = [(column.name, column.optional, column.zone) for column in contract.columns if column.kind == "time"]
    assert times == [("started", False, "UTC"), ("sent", False, "UTC")]


def test_other_datasets_are_not_concerned_by_a_declaration() -> None:
    boats = spec("boat", dataset="boats")
    assert contract_of("boats", [boats], {"rides": declared_rides()}) == contract_of("boats", [boats])
    with pytest.raises(NoContractError) as raised:
        contract_of("ridse", [boats], {"rides": declared_rides()})
    assert "did you mean 'rides'?" in str(raised.value)
