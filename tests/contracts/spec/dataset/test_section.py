"""A dataset spec is read from its file, and each mistake in it is reported with its line."""

from __future__ import annotations

import pytest
from rondo.contracts.spec.dataset.section import DatasetSpec
from rondo.contracts.spec.file import SpecError, parse_any, parse_dataset, parse_spec

from tests.contracts.spec.dataset.builders import TEXT, dataset_of
from tests.contracts.spec_mistakes import GOOD


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        parse_dataset(text, "weather.yaml")
    return caught.value.problems


def test_a_spec_is_read_with_the_order_of_its_columns() -> None:
    spec = parse_dataset(TEXT)
    assert (spec.dataset, spec.entity, list(spec.columns)) == (
        "weather",
        ("origin",),
        ["origin", "temp", "gusts", "fog"],
    )
    assert (spec.max_bad_share, spec.unknown_columns, spec.time_zone) == (0.1, "ignore", "UTC")


def test_a_column_of_an_unknown_type_is_refused_in_a_file_and_kept_in_an_event() -> None:
    (problem,) = problems(TEXT.replace("gusts: {type: int, min: 0}", "gusts: {type: timestamp}"))
    assert ("columns.gusts.type" in problem, "'timestamp'" in problem) == (True, True)
    content = parse_dataset(TEXT).as_dict()
    content["columns"]["gusts"]["type"] = "timestamp"
    assert DatasetSpec.model_validate(content).columns["gusts"].type == "timestamp"


def test_a_spec_reads_back_as_it_was_written() -> None:
    spec = parse_dataset(TEXT)
    assert DatasetSpec.from_json(spec.canonical_json()) == spec
    assert DatasetSpec.model_validate(spec.as_dict()).digest == spec.digest


def test_the_digest_is_that_of_the_meaning() -> None:
    written_out = TEXT.replace("gusts: {type: int, min: 0}", "gusts: {min: 0.0, type: int, optional: false}")
    assert parse_dataset(written_out).digest == parse_dataset(TEXT).digest
    assert parse_dataset(TEXT.replace("max: 130", "max: 131")).digest != parse_dataset(TEXT).digest


def test_the_kind_says_what_a_file_is() -> None:
    assert isinstance(parse_any(TEXT), DatasetSpec)
    assert parse_any(GOOD).data.dataset == "flights"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("right", "wrong", "line", "part"),
    [
        ("max: 130", "mx: 130", 8, "`columns.temp.mx` "),
        ("max_bad_share", "max_bad_shar", 11, "`max_bad_shar` "),
        ("type: int, min: 0", "type: whole", 9, "`columns.gusts.type`: "),
        ("type: int, min: 0", "type: int, values: [a]", 9, "`columns.gusts.values`: "),
        ("type: int, min: 0", "type: int, min: 0.2, max: 0.8", 9, "`columns.gusts.min`: "),
        ("min: -60", "min: 160", 8, "`columns.temp.min`: "),
        ("values: [EWR, JFK, LGA]", "min: 0", 7, "`columns.origin.min`: "),
        ("type: category, values: [EWR, JFK, LGA]", "type: int", 7, "`columns.origin.type`: "),
        ("type: category, values", "type: category, optional: true, values", 7, "`columns.origin.optional`: "),
        ("entity: [origin]", "entity: [origin, origin]", 3, "`entity.1`: "),
        ("entity: [origin]", "entity: []", 3, "`entity`: "),
        ("entity: [origin]", "entity: origin", 3, "`entity`: "),
        ("entity: [origin]", "entity: [origin, time_hour]", 4, "`event_time`: "),
        ("  fog:", "  time_hour:", 10, "`columns.time_hour`: "),
        ("  fog:", "  Temp:", 10, "`columns.Temp`: "),
        ("  fog:", "  batch_id:", 10, "`columns.batch_id`: "),
        ("unknown_columns: ignore", "unknown_columns: skip", 12, "`unknown_columns`: "),
        ("time_zone: UTC", "time_zone: Utopia", 5, "`time_zone`: "),
        ("dataset: weather", "dataset: Weather/..", 2, "`dataset`: "),
        ("kind: dataset", "kind: data", 1, "`kind`: "),
    ],
)
def test_a_mistake_is_reported_with_its_line(right: str, wrong: str, line: int, part: str) -> None:
    assert right in TEXT
    (problem,) = problems(TEXT.replace(right, wrong, 1))
    assert problem.startswith(f"line {line}: {part}")


def test_the_mistakes_of_all_parts_are_reported_at_once() -> None:
    text = TEXT.replace("max: 130", "mx: 130").replace("[origin]", "[origin, origin]").replace("ignore", "skip")
    assert [problem.partition(": ")[0] for problem in problems(text)] == ["line 3", "line 8", "line 12"]


def test_a_stored_spec_with_a_later_key_is_read() -> None:
    later = dataset_of().as_dict() | {"freshness": "26h"}
    assert DatasetSpec.model_validate(later) == dataset_of()


def test_a_dataset_is_no_model_spec_and_a_model_has_no_kind() -> None:
    for text in (TEXT, f"kind: model\n{GOOD}", "kind: datset\ndataset: weather\n"):
        with pytest.raises(SpecError) as caught:
            parse_spec(text)
        assert ["`kind`" in problem for problem in caught.value.problems] == [True]
    with pytest.raises(SpecError):
        parse_any("kind: datset\ndataset: weather\n")
