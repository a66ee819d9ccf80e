"""Names that a spec allows, made of any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from rondo.client.spec_proposal.names import column_name, is_column, model_name, words
from rondo.contracts.text import Column, Name


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("flights", "flights"),
        ("Flights 2013-01", "flights"),
        ("orders_2024_01_31", "orders"),
        ("Kündigungen (Süd)", "kuendigungen-sued"),
        ("2013", "model-2013"),
        ("3d-prints", "model-3d-prints"),
        ("日本", "model"),
        ("", "model"),
    ],
)
def test_the_name_of_a_model(stem: str, name: str) -> None:
    assert model_name(stem) == name


@pytest.mark.parametrize(
    ("text", "name"), [("Größe in cm", "Groesse_in_cm"), ("1st", "_1st"), ("a.b-c", "a_b_c"), ("日", "column")]
)
def test_the_name_of_a_column(text: str, name: str) -> None:
    assert column_name(text) == name


@given(st.text())
def test_any_text_becomes_a_name(text: str) -> None:
    assert TypeAdapter(Name).validate_python(model_name(text))
    assert TypeAdapter(Column).validate_python(column_name(text))
    assert is_column(column_name(text))


@pytest.mark.parametrize("name", ["customer_id", "customerId", "customerID", "Customer Id", "CUSTOMER-ID"])
def test_the_words_of_a_name(name: str) -> None:
    assert words(name) == ("customer", "id")
