"""Entity, event time and label are found by their names and values, or named by a person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from rondo.client.errors import RondoError
from rondo.client.spec_proposal.errors import UnusableColumnsError, UnusableRoleError
from rondo.client.spec_proposal.render import as_yaml
from rondo.contracts.spec.file import parse_spec

from tests.client.spec_proposal.builders import ROWS, START, checks, columns, each, hours, in_csv, proposed, typed

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.client.spec_proposal.proposal import Proposal


def chosen(proposal: Proposal) -> tuple[str, str, str]:
    roles = proposal.roles
    return roles.entity.column.name, roles.event_time.column.name, roles.label.column.name


def test_names_decide(tmp_path: Path) -> None:
    more = {"customer_id": each(lambda n: n % 5), "born": each(lambda _: "1990-01-01T00:00:00Z")}
    assert chosen(proposed(in_csv(tmp_path, columns(**more)))) == ("order_id", "placed_at", "label")


def test_options_decide(tmp_path: Path) -> None:
    more = {"customer_id": each(lambda n: n % 5), "ended": hours(), "returned": each(lambda n: n % 2)}
    file = in_csv(tmp_path, columns(**more))
    asked = {"entity": "customer_id", "event_time": "ended", "label": "returned"}
    assert chosen(proposed(file, **asked)) == ("customer_id", "ended", "returned")


@pytest.mark.parametrize("name", ["label", "Target", "y", "outcome", "class", "risk_class", "target_30d", "is_fraud"])
def test_the_label_is_found_by_its_name(name: str) -> None:
    found = columns()
    found = {"id": found["order_id"], name: found["label"], "placed_at": hours(), "amount": found["amount"]}
    assert chosen(proposed(typed(found), event_time="placed_at")) == ("id", "placed_at", name)


def test_the_last_column_is_the_label_where_no_name_says_so() -> None:
    found = columns(grade=each(lambda n: "ab"[n % 2]))
    del found["label"]
    proposal = proposed(typed(found), event_time="placed_at")
    assert chosen(proposal)[2] == "grade"
    assert "the last column" in checks(proposal, "data.label")
    constant = proposed(typed(found | {"country": each(lambda _: "DE")}), event_time="placed_at")
    assert chosen(constant)[2] == "grade"


@pytest.mark.parametrize(
    ("name", "missing", "last", "expected"),
    [
        ("energy_class", 9, each(lambda n: n + 0.5), "sale_price"),
        ("energy_class", 3, each(lambda n: n + 0.5), "energy_class"),
        ("class", 9, each(lambda n: n + 0.5), "class"),
        ("energy_class", 9, each(lambda n: "ab"[n % 2]), "energy_class"),
        ("energy_class", 9, [None, *each(lambda n: n + 0.5)[1:]], "energy_class"),
    ],
)
def test_a_complete_number_in_the_last_column_goes_before_a_name_with_missing_values(
    name: str, missing: int, last: list[Any], expected: str
) -> None:
    found = columns(**{name: [None if n < missing else "ABC"[n % 3] for n in range(ROWS)]})
    del found["label"]
    proposal = proposed(typed(found | {"sale_price": last}))
    assert chosen(proposal)[2] == expected
    why = checks(proposal, "data.label")
    assert "choose another with --label" in why
    assert bool(re.search("energy_class .*15%", why)) == (expected == "sale_price")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("key", "thing"), "key"),
        (("thing", "other"), "thing"),  # each row has its own text
        (("thing_id", "order"), "thing_id"),
    ],
)
def test_the_entity_is_an_id_else_what_is_unique(names: tuple[str, str], expected: str) -> None:
    texts = {name: each(lambda n, name=name: f"{name}{n}") for name in names}
    file = typed(texts | {"at": hours(), "x": each(lambda n: n % 7), "label": each(lambda n: n % 2)})
    assert chosen(proposed(file))[0] == expected


def test_a_subject_that_comes_again_is_the_entity_where_nothing_is_unique() -> None:
    sensor = each(lambda n: f"s{n % 4}")
    file = typed({"sensor": sensor, "at": hours(), "x": each(lambda n: n % 7), "label": each(lambda n: n % 2)})
    assert chosen(proposed(file))[0] == "sensor"


def test_an_entity_with_one_value_is_doubted() -> None:
    machine = each(lambda _: "press 4")
    file = typed({"machine": machine, "at": hours(), "x": each(lambda n: n % 7), "label": each(lambda n: n % 2)})
    proposal = proposed(file, entity="machine")
    assert "one value" in checks(proposal, "data.entity")
    several = typed({"machine": each(lambda n: f"m{n % 2}"), "at": hours(), "x": each(lambda n: n % 7),
                     "label": each(lambda n: n % 2)})  # fmt: skip
    assert "one value" not in checks(proposed(several, entity="machine"), "data.entity")


def test_full_times_go_before_dates_and_those_of_the_event_before_others() -> None:
    found = columns()
    del found["placed_at"]
    day, full = each(lambda n: f"2024-01-{n % 28 + 1:02}"), hours()
    assert chosen(proposed(typed(found | {"day": day, "moment": full})))[1] == "moment"
    assert chosen(proposed(typed(found | {"updated": full, "day": day})))[1] == "day"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (each(lambda n: f"2024-01-01 10:00:{n % 60:02}"), "'2024-01-01 10:00:00'"),
        (each(lambda n: f"2024-01-01 10:{n % 60:02}"), "'2024-01-01 10:00'"),
        (each(lambda n: START.replace(tzinfo=None, minute=n % 60)), ""),
        (each(lambda n: f"2024-01-{n % 28 + 1:02}"), "'2024-01-01'"),
        (each(lambda n: START.date().replace(day=n % 28 + 1)), ""),
    ],
)
def test_a_zone_is_proposed_for_times_without_one(values: list[Any], word: str) -> None:
    proposal = proposed(typed(columns() | {"placed_at": values, "order_time": values}), event_time="order_time")
    assert proposal.time_zone == "UTC"
    assert word in checks(proposal, "data.time_zone")
    assert parse_spec(as_yaml(proposal)).data.time_zone == "UTC"


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
@pytest.mark.parametrize("is_text", [False, True])
def test_numbers_since_1970_are_times_with_their_span(unit: int, is_text: bool, tmp_path: Path) -> None:  # noqa: FBT001
    found = columns() | {"placed_at": each(lambda n: (1_700_000_000 + n) * unit)}
    proposal = proposed(in_csv(tmp_path, found) if is_text else typed(found))
    doubts = checks(proposal, "data.event_time")
    assert "2023-11-14T22:13:20Z to 2023-11-14T22:14:19Z" in doubts
    assert "1970" in doubts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2.1.2013", ("'2.1.2013' as 2013-01-02",)),
        ("31/1/2013 10:00", ("2013-01-31",)),
        ("1/31/2013", ("2013-01-31",)),
        ("1/2/2013", ("2013-01-02", "2013-02-01")),
    ],
)
def test_times_that_could_be_misread_are_refused_with_how_to_write_them(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(RondoError) as refused:
        proposed(typed(columns() | {"placed_at": [*["5/5/2013"] * 40, *[text] * 20]}))
    assert refused.value.code == "unusable_column"
    assert all(word in str(refused.value) for word in words)


def test_rows_that_would_be_quarantined_for_their_key_are_counted() -> None:
    found = columns()
    found["order_id"][1], found["placed_at"][1] = found["order_id"][0], found["placed_at"][0]
    found["order_id"][2] = None
    doubts = checks(proposed(typed(found)), "data.entity")
    assert re.search("order_id and placed_at .*: 1", doubts)
    assert re.search("valid order_id: 1", doubts)


def test_some_implausible_times_are_doubted_and_all_of_them_are_refused() -> None:
    far = each(lambda n: f"2124-01-01T10:00:{n % 60:02}Z")
    some = proposed(typed(columns() | {"placed_at": [*hours()[1:], far[0]]}))
    assert "day from now" in checks(some, "data.event_time")
    with pytest.raises(UnusableRoleError) as refused:
        proposed(typed(columns() | {"placed_at": far}))
    assert "2124-01-01T10:00:00Z" in str(refused.value)


def test_one_time_for_all_rows_is_refused_as_no_model_can_be_evaluated() -> None:
    with pytest.raises(UnusableRoleError) as refused:
        proposed(typed(columns() | {"placed_at": each(lambda _: "2024-01-01T10:00:00Z")}))
    assert (refused.value.role, "2024-01-01T10:00:00Z" in str(refused.value)) == ("event_time", True)


@pytest.mark.parametrize(("value", "words"), [(20240131, ("2024-01-31",)), (2024, ("'2024'", "2013-01-31T10:00:00Z"))])
def test_numbers_that_sound_like_times_are_refused_with_how_to_write_them(value: int, words: tuple[str, ...]) -> None:
    with pytest.raises(UnusableRoleError) as refused:
        proposed(typed(columns() | {"placed_at": each(lambda _: value)}))
    assert [word for word in words if word not in str(refused.value)] == []


WITHOUT_TIME = {name: values for name, values in columns().items() if name != "placed_at"}


@pytest.mark.parametrize(
    ("found", "asked", "code"),
    [
        (WITHOUT_TIME, {}, "no_event_time"),
        ({"x": each(lambda n: n)}, {}, "unusable_columns"),
        ({"placed_at": hours(), "x": each(lambda n: n % 3), "label": each(lambda n: n % 2)}, {}, "no_entity"),
        ({"order_id": each(lambda n: n), "placed_at": hours()}, {}, "no_label"),
        (columns(), {"label": "lable"}, "unknown_column"),
        (columns(), {"label": "placed_at"}, "unusable_columns"),
        (columns(), {"label": "lable", "entity": "amount", "event_time": "wen"}, "unusable_columns"),
        (columns(), {"event_time": "amount"}, "unusable_column"),
        (columns(), {"entity": "amount"}, "unusable_column"),
        (columns(), {"entity": "label", "label": "label"}, "unusable_column"),
        (columns(batch_id=each(lambda n: n % 2)), {"label": "batch_id"}, "unusable_column"),
        (columns() | {"Kündigung ja": each(lambda n: n % 2)}, {"label": "Kündigung ja"}, "unusable_column"),
    ],
)
def test_what_is_missing_or_unusable_is_refused(found: Any, asked: dict[str, str], code: str) -> None:
    with pytest.raises(RondoError) as refused:
        proposed(typed(found), **asked)
    assert refused.value.code == code


def test_all_columns_that_have_to_be_changed_are_named_at_once() -> None:
    found = {
        "Order ID": each(lambda n: f"o{n}"), "Placed at": each(lambda n: f"{n % 28 + 1}.1.2024"),
        "Preis (€)": each(lambda n: n / 7), "cost": each(lambda n: f"$1,{100 + n % 7}.50"), "": each(lambda n: n),
        "Returned?": each(lambda n: n % 2),
    }  # fmt: skip
    with pytest.raises(UnusableColumnsError) as refused:
        proposed(typed(found), label="Returned?")
    problems = refused.value.problems
    assert [problem.split(" ")[0].strip(":'") for problem in problems] == [
        "Order", "Placed", "Placed", "Returned?", "Preis", "cost", "",
    ]  # fmt: skip
    for name, word in zip(found, ("Order_ID", "Placed_at", "Preis", "1234.5", "no name", "Returned"), strict=True):
        assert any(f"{name!r}" in problem and word in problem for problem in problems)


def test_a_name_that_no_spec_takes_is_refused_with_another() -> None:
    with pytest.raises(RondoError) as refused:
        proposed(typed(columns() | {"Kündigung ja": each(lambda n: n % 2)}), label="Kündigung ja")
    assert refused.value.code == "unusable_column"
    assert "'Kuendigung_ja'" in str(refused.value)


def test_rows_are_enough_for_the_heuristics() -> None:
    assert ROWS >= 20
