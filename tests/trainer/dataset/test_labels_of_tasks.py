"""The labels of a training set by task, also those that were stored for another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.trainer.dataset.training_set import (
    Tables,
    assemble,
    join_feedback,
)

from tests.trainer.dataset.frames import LATER, SPEC, TIME, at, published, served

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec


def of_task(task: str) -> ModelSpec:
    return SPEC.model_copy(update={"task": task})


def labelled(task: str, published_label: pl.Series | None, observed: dict[str, Any] | None = None) -> pl.Series:
    """Return the labels of the published rows, and of one served row after them with each observed value."""
    rows = None
    if published_label is not None:
        flights = [(f"p{n}", float(n), 0, "UA", 1.0) for n in range(published_label.len())]
        rows = published(*flights).with_columns(published_label.alias("late"))
    if observed is None:
        return assemble(of_task(task), Tables(rows, None, None), None, LATER, LATER)["late"]
    [count] = {len(values) for values in observed.values()}
    names = [f"s{n}" for n in range(count)]
    asked = served(*((name, name, 100.0 + n) for n, name in enumerate(names)))
    known = pl.DataFrame({"id": names, "entity": names, **observed}).with_columns(known_at=pl.lit(at(200), TIME))
    return assemble(of_task(task), Tables(rows, asked, known.lazy()), None, LATER, LATER)["late"]


def test_numbers_and_classes_are_as_they_were_stored() -> None:
    numbers = {"outcome": [0.1, -16777217.0], "outcome_label": pl.Series([None, None], dtype=pl.String)}
    found = labelled("regression", pl.Series([16777217.0, 1 / 3]), numbers)
    assert (found.dtype, found.to_list()) == (pl.Float64, [16777217.0, 1 / 3, 0.1, -16777217.0])
    texts = {"outcome": pl.Series([None, None], dtype=pl.Float64), "outcome_label": ["elm", "3"]}
    found = labelled("multiclass", pl.Series(["oak", "3"]), texts)
    assert (found.dtype, found.to_list()) == (pl.String, ["oak", "3", "elm", "3"])


@pytest.mark.parametrize(
    ("task", "stored", "expected"),
    [
        ("multiclass", pl.Series([0.0, 1.0, 12.5, 12345678901.0]), ["0", "1", "12.5", "12345678901"]),
        ("multiclass", pl.Series([True, False]), ["true", "false"]),
        ("regression", pl.Series(["12.5", "oak", "3", "1e+300", "nan"]), [12.5, 3.0, 1e300]),
        ("binary", pl.Series(["1", "0", "oak", "2"]), [1.0, 0.0]),
        ("binary", pl.Series([1.0, 12.5, 0.0]), [1.0, 0.0]),
    ],
)
def test_a_label_of_another_task_counts_where_it_is_one_of_the_present_task(
    task: str, stored: pl.Series, expected: list[Any]
) -> None:
    """A dataset keeps its rows when the task of its model changes."""
    assert labelled(task, stored).to_list() == expected


@pytest.mark.parametrize(("task", "expected"), [("multiclass", ["oak"]), ("regression", [1.0, 2.5]), ("binary", [1.0])])
def test_an_outcome_counts_in_the_column_of_the_present_task(task: str, expected: list[Any]) -> None:
    observed = {"outcome": [None, 1.0, 2.5], "outcome_label": ["oak", None, None]}
    assert labelled(task, None, observed).to_list() == expected
    without = {name: values for name, values in observed.items() if name == "outcome"}
    if task == "multiclass":
        assert labelled(task, None, without).to_list() == [], "a table from before the column"


def test_an_outcome_of_another_task_replaces_none_of_the_present_one() -> None:
    asked, spec = served(("1", "f1", 0)), of_task("multiclass")
    known = pl.DataFrame(
        {"id": ["1", "1"], "entity": [None, None], "outcome": [None, 1.0], "outcome_label": ["oak", None]},
        {"id": pl.String, "entity": pl.String, "outcome": pl.Float64, "outcome_label": pl.String},
    ).with_columns(known_at=pl.Series([at(1), at(2)], dtype=TIME))
    assert assemble(spec, Tables(None, asked, known.lazy()), None, LATER, LATER)["late"].to_list() == ["oak"]
    assert join_feedback(spec, Tables(None, asked, known.lazy()), LATER).collect().height == 1


def test_the_texts_of_a_declared_dataset_are_mapped_and_the_numbers_of_older_rows_kept() -> None:
    """The rows that were published before the declaration have 0 and 1, which became texts in the table."""
    spec = SPEC.model_copy(update={"data": SPEC.data.model_copy(update={"positive": "UP", "negative": "2"})})
    stored = pl.Series(["UP", "2", " UP ", "1", "0", "up", "3", None])
    flights = [(f"p{n}", float(n), 0, "UA", 1.0) for n in range(stored.len())]
    rows = published(*flights).with_columns(stored.alias("late"))
    found = assemble(spec, Tables(rows, None, None), None, LATER, LATER)
    assert found.select("flight", "late").rows() == [("p0", 1.0), ("p1", 0.0), ("p2", 1.0), ("p3", 1.0), ("p4", 0.0)]


@pytest.mark.parametrize("stored", [[True, False, None], ["true", "false", None], ["1", "false", "2"]])
def test_truths_are_labels_also_beside_the_numbers_of_older_rows(stored: list[Any]) -> None:
    assert labelled("binary", pl.Series(stored)).to_list() == [1.0, 0.0]


def test_a_text_that_is_no_class_is_no_label() -> None:
    """A declared column may have any text. Outcomes have neither blanks around them nor more than 256 characters."""
    assert labelled("multiclass", pl.Series([" oak", "x" * 257, " ", "elm"])).to_list() == ["oak", "elm"]
