"""The examples: each has a spec that can be applied, of a label of the flights, and a page."""

from __future__ import annotations

import re

import pytest
from rondo.flights.dataset.flights import ENTITY, EVENT_TIME, FEATURES, LABELS
from rondo.flights.errors import UnknownExampleError
from rondo.flights.examples import FOLDER, example_named
from rondo.flights.report.scores import METRICS

NAMES = sorted(path.parent.name for path in FOLDER.glob("*/rondo.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_predicts_a_label_of_the_flights(name: str) -> None:
    example = example_named(name)
    assert (example.spec.data.entity, example.spec.data.event_time) == (ENTITY, EVENT_TIME)
    assert example.label in LABELS
    assert example.spec.features.keys() <= set(FEATURES)
    assert example.metric.name in METRICS


@pytest.mark.parametrize("name", NAMES)
def test_an_example_has_a_page_of_one_screen_with_its_command(name: str) -> None:
    page = (FOLDER / name / "README.md").read_text("utf-8")
    assert len(page.splitlines()) <= 24
    assert ("make demo" if name == "flights" else f"make demo EXAMPLE={name}") in page


def test_no_two_examples_are_the_same_model() -> None:
    assert len({example_named(name).model for name in NAMES}) == len(NAMES) >= 3


def test_an_unknown_example_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownExampleError) as caught:
        example_named("flihgts")
    assert (caught.value.code, caught.value.known) == ("unknown_example", NAMES)
    assert re.search("'flihgts': .* flights, ", str(caught.value))
