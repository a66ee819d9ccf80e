"""The features of requests that fit several versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.common_features import NoCommonRequestsError, common_features
from rondo.contracts.spec.data import Feature

NUMBER, TEXT = Feature(type="float"), Feature(type="category")


def test_requests_have_the_features_of_all_versions() -> None:
    found = common_features({2: {"a": NUMBER, "b": TEXT}, 1: {"c": NUMBER, "a": Feature(type="float", optional=True)}})
    assert list(found) == ["a", "b", "c"]
    assert not found["a"].optional


def test_a_request_has_no_feature_that_is_joined_unless_another_version_needs_it() -> None:
    joined = Feature.model_validate({"type": "float", "from": "weather"})
    assert common_features({1: {"a": NUMBER, "b": joined}}) == {"a": NUMBER}
    assert common_features({1: {"b": joined}, 2: {"b": NUMBER}}) == {"b": NUMBER}


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (Feature(type="float", min=0), Feature(type="float", max=9), Feature(type="float", min=0, max=9)),
        (Feature(type="int", max=4), Feature(type="float", max=9), Feature(type="int", max=4)),
        (
            Feature(type="category", values=("a", "b")),
            Feature(type="category", values=("b", "c")),
            Feature(type="category", values=("b",)),
        ),
        (Feature(type="category", values=("a",)), TEXT, Feature(type="category", values=("a",))),
        (Feature(type="bool", optional=True), Feature(type="bool", optional=True), Feature(type="bool", optional=True)),
    ],
)
def test_a_value_has_to_be_one_that_all_take(first: Feature, second: Feature, both: Feature) -> None:
    assert common_features({1: {"a": first}, 2: {"a": second}}) == {"a": both}
    assert common_features({1: {"a": second}, 2: {"a": first}}) == {"a": both}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (NUMBER, TEXT),
        (Feature(type="bool"), NUMBER),
        (Feature(type="float", max=1), Feature(type="float", min=2)),
        (Feature(type="category", values=("a",)), Feature(type="category", values=("b",))),
    ],
)
def test_without_a_common_value_the_error_names_feature_and_versions(first: Feature, second: Feature) -> None:
    with pytest.raises(NoCommonRequestsError) as refused:
        common_features({3: {"a": first}, 2: {"a": second}})
    assert (refused.value.feature, refused.value.versions) == ("a", (3, 2))
    assert str(refused.value).startswith("versions 3 and 2 take no common value of 'a', so no request fits both")


@given(
    low=st.floats(-9, 9), high=st.floats(-9, 9), other_low=st.floats(-9, 9), other_high=st.floats(-9, 9),
    value=st.floats(-9, 9),
)  # fmt: skip
def test_a_common_number_is_one_of_each(
    low: float, high: float, other_low: float, other_high: float, value: float
) -> None:
    limits = (low, high), (other_low, other_high)
    fits = all(least <= value <= most for least, most in limits)
    try:
        found = common_features({n: {"a": Feature(type="float", min=a, max=b)} for n, (a, b) in enumerate(limits)})
    except NoCommonRequestsError:
        assert not fits
    else:
        assert ((found["a"].min or 0) <= value <= (found["a"].max or 0)) == fits


def test_an_unknown_type_is_common_to_versions_that_both_have_it_and_to_no_others() -> None:
    later, number = Feature(type="timestamp"), Feature(type="float")
    assert common_features({1: {"at": later}, 2: {"at": later}}) == {"at": later}
    with pytest.raises(NoCommonRequestsError):
        common_features({1: {"at": later}, 2: {"at": number}})
