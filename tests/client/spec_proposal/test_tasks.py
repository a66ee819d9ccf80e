"""The task follows from the values of the label, unless a person names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rondo.client.errors import RondoError

from tests.client.spec_proposal.builders import checks, columns, each, in_csv, proposed, typed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.medium
@pytest.mark.parametrize(
    ("value", "task"),
    [
        (lambda n: n % 2, "binary"),
        (lambda n: float(n % 2), "binary"),
        (lambda n: n % 2 == 0, "binary"),
        (lambda n: ["no", "yes"][n % 2], "binary"),
        (lambda n: 1 + n % 2, "binary"),
        (lambda n: "abc"[n % 3], "multiclass"),
        (lambda n: n % 5, "multiclass"),
        (lambda n: n * 7 % 59, "regression"),
        (lambda n: n * 7 % 59 / 2, "regression"),
        (lambda n: (n % 2) / 2, "regression"),
    ],
)
@pytest.mark.parametrize("csv", [False, True])
def test_the_task_of_a_label(tmp_path: Path, value: Callable[[int], Any], task: str, csv: bool) -> None:  # noqa: FBT001
    found = columns(label=each(value))
    assert proposed(in_csv(tmp_path, found) if csv else typed(found)).label.task == task


def test_a_few_amounts_are_no_classes() -> None:
    found = columns() | {"label": each(lambda n: n % 5)}
    found["label_minutes"] = found.pop("label")
    assert proposed(typed(found), label="label_minutes").label.task == "regression"


def test_few_rows_of_numbers_are_no_classes() -> None:
    assert proposed(typed(columns(3, label=[1, 5, 9]))).label.task == "regression"


@pytest.mark.medium
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("No", "Yes"), ("Yes", "No")),
        (("stayed", "churned"), ("churned", "stayed")),
        (("on time", "late"), ("late", "on time")),
        (("no risk", "risk"), ("risk", "no risk")),
        (("blue", "red"), ("red", "blue")),  # red is the rarer one
        (("ja", "nein"), ("ja", "nein")),  # although the latter is rarer
        (("Oui", "Non"), ("Oui", "Non")),
        (("sí", "no"), ("sí", "no")),
        ((1, 2), ("2", "1")),
        ((-1, 1), ("1", "-1")),
    ],
)
def test_two_other_values_are_named(values: tuple[Any, Any], expected: tuple[str, str]) -> None:
    label = proposed(typed(columns(label=each(lambda n: values[n % 3 == 0])))).label
    assert (label.positive, label.negative) == expected


@pytest.mark.parametrize(("texts", "named"), [(("0", "1"), False), (("False", "True"), False), (("0.0", "1.0"), False)])
def test_zero_and_one_are_not_named_in_csv(tmp_path: Path, texts: tuple[str, str], named: bool) -> None:  # noqa: FBT001
    label = proposed(in_csv(tmp_path, columns(label=each(lambda n: texts[n % 2])))).label
    assert (label.positive is not None) == named


def test_texts_of_zero_and_one_in_a_file_that_keeps_types_are_named() -> None:
    label = proposed(typed(columns(label=each(lambda n: "01"[n % 2])))).label
    assert (label.positive, label.negative) == ("1", "0")


@pytest.mark.parametrize(
    ("label", "task", "code"),
    [
        (each(lambda _: 1), None, "unusable_column"),
        (each(lambda _: None), None, "unusable_column"),
        (each(lambda n: f"some words {n}"), None, "unusable_column"),
        (each(lambda n: [n]), None, "unusable_column"),
        (each(lambda n: n % 3), "binary", "task_mismatch"),
        (each(lambda n: "ab"[n % 2]), "regression", "task_mismatch"),
        (each(lambda n: n / 7), "multiclass", "task_mismatch"),
    ],
)
def test_a_label_that_can_not_be_learned_is_refused(label: list[Any], task: str | None, code: str) -> None:
    with pytest.raises(RondoError) as refused:
        proposed(typed(columns(label=label)), task)
    assert refused.value.code == code


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_the_task_can_be_named(task: str) -> None:
    assert proposed(typed(columns(label=each(lambda n: n % 4))), task).label.task == task


def test_rows_without_a_label_are_told_and_a_batch_with_many_is_accepted() -> None:
    some = proposed(typed(columns(label=each(lambda n: None if n < 2 else n % 2))))
    assert ("valid label: 2" in checks(some, "data.label"), some.max_bad_share) == (True, None)
    many = proposed(typed(columns(label=each(lambda n: None if n < 20 else n % 2))))
    assert many.max_bad_share == 0.4
    most = proposed(typed(columns(label=each(lambda n: None if n < 40 else n % 2))))
    assert most.max_bad_share is None
    assert "rejected" in checks(most, "data.max_bad_share")
