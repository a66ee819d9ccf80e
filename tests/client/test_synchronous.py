"""The client without asyncio has the methods of AsyncRondo, with their parameters."""

from __future__ import annotations

import inspect

import pytest
from rondo.client import AsyncRondo, Rondo

METHODS = [name for name in vars(Rondo) if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_the_parameters_and_the_text_of_the_asynchronous_one(name: str) -> None:
    method, original = getattr(Rondo, name), getattr(AsyncRondo, name)
    assert inspect.signature(method).parameters == inspect.signature(original).parameters
    assert (method.__name__, method.__doc__) == (name, original.__doc__)


def test_every_method_exists_without_asyncio() -> None:
    public = {name for name, _ in inspect.getmembers(AsyncRondo, inspect.isfunction) if not name.startswith("_")}
    assert public == set(METHODS)


def test_the_returned_values_are_those_without_asyncio() -> None:
    returned = {name: inspect.signature(getattr(Rondo, name)).return_annotation for name in ("predict", "stream")}
    assert returned == {"predict": "Prediction", "stream": "Iterator[Prediction | Unanswered]"}
