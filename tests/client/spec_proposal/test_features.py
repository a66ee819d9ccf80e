"""Columns become features of a type, or are left out with the reason."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from rondo.client.errors import RondoError
from rondo.client.spec_proposal.render import as_yaml
from rondo.contracts.spec.file import parse_spec

from tests.client.spec_proposal.builders import (
    ROWS,
    START,
    checks,
    columns,
    each,
    hours,
    in_csv,
    proposed,
    reasons,
    typed,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rondo.client.spec_proposal.features import ProposedFeature
    from rondo.client.spec_proposal.files import SourceFile


def feature(file: SourceFile, name: str) -> ProposedFeature:
    return next(each for each in proposed(file).features if each.name == name)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("color", lambda n: "rgb"[n % 3], "category"),
        ("open", lambda n: n % 2 == 0, "bool"),
        ("items", lambda n: n % 9, "int"),
        ("price", lambda n: n / 7, "float"),
        ("zip_code", lambda n: 10_000 + n % 2, "category"),
        ("store_id", lambda n: n % 3, "category"),
        ("plz", lambda n: f"0{1_000 + n % 9}", "category"),
        ("revenue", lambda n: 3_000_000 * n, "float"),
        ("ratio", lambda n: ["1.0", "2.5", "7"][n % 3], "float"),
    ],
)
def test_the_type_of_a_feature(tmp_path: Path, name: str, value: Callable[[int], Any], kind: str) -> None:
    assert feature(in_csv(tmp_path, columns(**{name: each(value)})), name).type == kind


@pytest.mark.medium
@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("none", each(lambda _: None), "no value"),
        ("country", each(lambda _: "DE"), "DE"),
        ("code", each(lambda n: f"{n:05}"), "own text"),
        ("note", each(lambda n: f"he said that {n % 40} is a number"), "free text"),
        ("name", each(lambda n: f"n{n % 40}"), "once"),
        ("customer_id", each(lambda n: n % 40), "identifier"),
        ("phone", each(lambda n: 4_915_100_000 + n), "identifier"),
        ("shipped", each(lambda n: f"{n % 28 + 1}.1.2024 10:00"), "time"),
        ("Größe", each(lambda n: n), "Groesse"),
        ("batch_id", each(lambda n: n % 2), "batch_id"),
    ],
)
@pytest.mark.parametrize("csv", [False, True])
def test_what_is_left_out_has_a_reason(tmp_path: Path, name: str, values: Any, reason: str, csv: bool) -> None:  # noqa: FBT001
    found = columns(**{name: values})
    proposal = proposed(in_csv(tmp_path, found) if csv else typed(found), entity="order_id")
    assert reason in reasons(proposal)[name]
    assert name in checks(proposal, "left out")


DAYS = each(lambda n: f"2024-01-{n % 28 + 1:02}")
MOMENTS = each(lambda n: START + timedelta(hours=n))


@pytest.mark.parametrize(
    ("values", "parts", "optional"),
    [
        (DAYS, ["year", "month"], False),
        ([*hours()[1:], None], ["month", "weekday", "hour"], True),
        ([*hours()[1:], "soon"], ["month", "weekday", "hour"], False),
    ],
)
def test_the_parts_of_a_time_are_features(tmp_path: Path, values: Any, parts: list[str], optional: bool) -> None:  # noqa: FBT001
    proposal = proposed(in_csv(tmp_path, columns(built_on=values)), event_time="placed_at")
    spec = parse_spec(as_yaml(proposal))
    assert (spec.features["built_on"].type, spec.features["built_on"].optional) == ("category", optional)
    assert spec.prepare.dates == {"built_on": tuple(parts)}
    assert checks(proposal, "features.built_on")


@pytest.mark.parametrize("values", [MOMENTS, [each.date() for each in MOMENTS], [*MOMENTS[1:], None]])
def test_the_parts_of_a_typed_time_are_features_too(values: Any) -> None:
    spec = parse_spec(as_yaml(proposed(typed(columns(built_on=values)), event_time="placed_at")))
    assert spec.features["built_on"].type == "category"
    assert "month" in spec.prepare.dates["built_on"]


def test_a_part_that_is_a_column_already_is_not_made_again(tmp_path: Path) -> None:
    more = {"built_on": DAYS, "built_on_month": each(lambda n: n % 12 + 1)}
    proposal = proposed(in_csv(tmp_path, columns(**more)), event_time="placed_at")
    assert parse_spec(as_yaml(proposal)).prepare.dates == {"built_on": ("year",)}


def test_a_time_in_another_form_is_left_out_with_what_to_write(tmp_path: Path) -> None:
    values = each(lambda n: f"{n % 28 + 1}.1.2024 10:00")
    proposal = proposed(in_csv(tmp_path, columns(built_on=values)), event_time="placed_at")
    assert "2013-01-31T10:00:00Z" in reasons(proposal)["built_on"]


def test_a_type_that_no_feature_has_and_numbers_as_texts_are_left_out() -> None:
    many = each(str, 300)
    proposal = proposed(
        typed(
            columns(
                300, tags=[["a"]] * 300, geo=[{"a": 1}] * 300, amounts=[f"{n}.5" for n in many], few=["1", "2"] * 150
            )
        )
    )
    assert "a list" in reasons(proposal)["tags"]
    assert "an object" in reasons(proposal)["geo"]
    assert "amounts" in reasons(proposal)
    assert [each.type for each in proposal.features if each.name == "few"] == ["category"]


@pytest.mark.parametrize(
    ("name", "copy", "how"),
    [
        ("churned", lambda label: label, "identical"),
        ("status", lambda label: "open" if label else "closed", "one-to-one"),
        ("inverse", lambda label: 1 - label, "one-to-one"),
    ],
)
def test_a_copy_of_the_label_is_left_out_by_name(name: str, copy: Callable[[int], Any], how: str) -> None:
    label = each(lambda n: int(n % 3 == 0))
    proposal = proposed(typed(columns(**{name: [copy(value) for value in label], "label": label})), label="label")
    assert how in reasons(proposal)[name]
    assert "left out" in checks(proposal, name)


@pytest.mark.parametrize("copy", [lambda price: price * 100, lambda price: -math.log(price)])
def test_a_number_in_the_order_of_a_regression_label_is_a_copy(copy: Callable[[float], float]) -> None:
    prices = each(lambda n: 1.5 + n * 7 % 59)
    found = columns(cents=[copy(price) for price in prices], other=each(lambda n: n * 11 % 61 + 0.5), label=prices)
    assert set(reasons(proposed(typed(found)))) == {"cents"}


def test_a_few_rows_that_agree_by_chance_are_no_copies() -> None:
    proposal = proposed(typed(columns(3, kind=["a", "b", "a"], label=[0, 1, 0])))
    assert [feature.name for feature in proposal.features] == ["amount", "kind"]


def test_a_column_that_decides_the_label_is_to_be_checked() -> None:
    proposal = proposed(typed(columns(state=each(lambda n: "xabc"[n % 4]), label=each(lambda n: int(n % 4 == 0)))))
    assert "one label only" in checks(proposal, "features.state")


def test_a_missing_value_makes_a_feature_optional_and_an_odd_one_is_told(tmp_path: Path) -> None:
    found = columns(gaps=each(lambda n: None if n == 5 else n), odd=each(lambda n: "NA" if n == 5 else n))
    proposal = proposed(in_csv(tmp_path, found))
    by_name = {feature.name: feature for feature in proposal.features}
    assert [by_name[name].optional for name in ("amount", "gaps", "odd")] == [False, True, True]
    assert "such as NA" in checks(proposal, "features.odd")


@pytest.mark.parametrize(
    ("name", "values", "limits"),
    [
        ("price", each(lambda n: n / 7), (0, None)),
        ("temperature", each(lambda n: n / 7), (None, None)),
        ("balance", each(lambda n: n - 5), (None, None)),
        ("share", each(lambda n: n / ROWS), (0, 1)),
        ("share_of_all", each(float), (0, None)),
        ("pct_used", each(lambda n: n + 0.5), (0, 100)),
        ("lat", each(lambda n: n - 30.5), (-90, 90)),
        ("hour", each(lambda n: n % 24), (0, 23)),
    ],
)
def test_only_ranges_by_nature_are_proposed(name: str, values: Any, limits: Any) -> None:
    found = feature(typed(columns(**{name: values})), name)
    assert (found.min, found.max) == limits


def test_an_identifier_as_text_and_many_values_are_to_be_checked() -> None:
    rows = 1_000
    proposal = proposed(
        typed(columns(rows, part=each(lambda n: f"p{n % 300}", rows), revenue=each(lambda n: n * 2**24, rows)))
    )
    assert "300 different values" in checks(proposal, "features.part")
    assert "seven digits" in checks(proposal, "features.revenue")


def test_no_feature_at_all_is_refused_with_the_reasons() -> None:
    found = {name: values for name, values in columns(note=each(lambda n: f"n{n}")).items() if name != "amount"}
    with pytest.raises(RondoError) as refused:
        proposed(typed(found))
    assert refused.value.code == "no_features"
    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["note"]


@pytest.mark.parametrize(("rows", "min_rows"), [(3, 2), (100, 80), (1_249, 999), (1_250, None)])
def test_the_rows_of_a_small_file_are_enough(rows: int, min_rows: int | None) -> None:
    assert proposed(typed(columns(rows))).min_rows == min_rows
