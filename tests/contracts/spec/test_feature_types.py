"""Types of columns: one that can take the values of another, and those that a release does not know."""

from __future__ import annotations

from itertools import product

from rondo.contracts.spec.feature_types import reads, unknown_type_sentence
from rondo.contracts.vocabularies import FeatureType


def test_a_column_takes_values_of_its_own_type_and_a_number_takes_whole_ones() -> None:
    taken = {(stored, wanted) for stored, wanted in product(FeatureType, FeatureType) if reads(stored, wanted)}
    assert taken == {*zip(FeatureType, FeatureType, strict=True), ("int", "float")}


def test_types_of_a_newer_release_are_read_as_themselves_alone() -> None:
    assert reads("timestamp", "timestamp")
    assert not reads("timestamp", "float")
    assert not reads("int", "timestamp")


def test_the_reader_that_is_to_be_upgraded_is_named() -> None:
    sentence = unknown_type_sentence("night", "timestamp", "serving")
    assert all(each in sentence for each in ("night", "'timestamp'"))
    assert sentence.endswith(": upgrade serving")
