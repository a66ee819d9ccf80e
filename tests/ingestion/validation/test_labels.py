"""A column of labels is converted as `Labels.parse` converts each value, whatever the file."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rondo.ingestion.validation.arrow_columns import RawBatch
from rondo.ingestion.validation.contract import Contract, contract_of
from rondo.ingestion.validation.decision import AcceptedBatch, RejectedBatch, decide
from rondo.ingestion.validation.file_formats import read
from rondo.ingestion.validation.rules import check_rows
from rondo.ingestion.validation.schema import schema_problems

from tests.ingestion.builders import NOW, rides, spec

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.batch_files.formats import FileFormat
    from rondo.contracts.spec.model import ModelSpec

SPECS = {
    "binary": spec(),
    "two texts": spec(data={"positive": "1", "negative": "-1"}),
    "two words": spec(data={"positive": "true", "negative": "no"}),
    "multiclass": spec(task="multiclass"),
    "regression": spec(task="regression"),
}
every_task = pytest.mark.parametrize("model", SPECS.values(), ids=SPECS)
LARGEST = 3.4028234663852886e38

texts = st.sampled_from(
    [
        "1", "0", "-1", "1.0", "+1", "1e0", "TRUE", " false ", "no", "oak", " oak\x1f", "\u2003oak", "", " ", "\x1f",
        "2.5", "1_000", "٣", "nan", "-Infinity", "inf", "1e39", "1e-400", "3.4028235e38", ".5", "5.", "0x10", "1,5",
        "a\x00b", "x" * 256, "x" * 257, "é" * 257, "[1]", '{"a": 1}', "9007199254740993", "-0", "null",
    ]
) | st.text(st.characters(codec="utf-8"), max_size=12)  # fmt: skip
ints = st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, -(2**53)])
floats = (
    st.integers(-3, 3).map(float)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([-0.0, 2.0**53, LARGEST, LARGEST * (1 + 1e-9), 1e300, 1e-320])
)
nested = st.sampled_from([[], [1], ["oak"], {}, {"a": 1}])
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def contract(model: ModelSpec) -> Contract:
    return contract_of("rides", [model])


def converted(batch: RawBatch, file_format: FileFormat, model: ModelSpec) -> list[Any]:
    """Return the published label of each row. None for a quarantined row, which must have exactly one reason."""
    if schema_problems(batch, file_format, contract(model)):
        return [None] * batch.frame.height
    checks = check_rows(batch, contract(model), NOW)
    reasons = checks.bad.select(pl.sum_horizontal(pl.lit(0), pl.all().cast(pl.Int64))).to_series()
    reasons = reasons if reasons.len() == batch.frame.height else pl.repeat(0, batch.frame.height, eager=True)
    assert reasons.max() <= 1  # type: ignore[operator]
    labels = checks.typed["tipped"].to_list()
    return [label if count == 0 else None for label, count in zip(labels, reasons, strict=True)]


def same(found: list[Any], expected: list[Any]) -> None:
    # 0.0 and -0.0 are equal and have different bytes, which digests are made of.
    assert [(type(each), repr(each)) for each in found] == [(type(each), repr(each)) for each in expected]


def rows_with(values: list[Any]) -> list[dict[str, Any]]:
    rows = rides(len(values)).drop("tipped").with_columns(pl.col("started").dt.to_string("iso:strict")).to_dicts()
    return [row | {"tipped": value} for row, value in zip(rows, values, strict=True)]


@pytest.mark.medium
@pytest.mark.sampled(1)
@every_task
@given(values=st.lists(st.none() | st.booleans() | ints | floats | texts | nested, min_size=1, max_size=6))
@example(values=["oak", 2.5, [1], 1e200, 2**53 + 1, -0.0, True])
@example(values=[3, 3.0, 2**53 + 1])
@example(values=[10**30, 1])
@relaxed
def test_json_lines(model: ModelSpec, values: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows_with(values)))
    batch = read(path, "JSON Lines", contract(model).text_labels)
    same(converted(batch, "JSON Lines", model), [model.labels.parse(value) for value in values])


@pytest.mark.medium
@pytest.mark.sampled(1)
@every_task
@given(values=st.lists(texts | (st.none() | st.booleans() | ints | floats).map(json.dumps), min_size=1, max_size=6))
@example(values=["oak\x1f", "\x1c1", "\x1d2.5\u2003"])
@relaxed
def test_csv_has_texts(model: ModelSpec, values: list[str], tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = rows_with(values)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    batch = read(path, "CSV", contract(model).text_labels)
    same(converted(batch, "CSV", model), [model.labels.parse(value) for value in values])


@pytest.mark.medium
@pytest.mark.sampled(1)
@pytest.mark.parametrize("file_format", ["Parquet", "an Arrow stream", "an Arrow file"])
@given(
    model=st.sampled_from(list(SPECS.values())),
    values=st.lists(st.none() | st.booleans(), min_size=1, max_size=6)
    | st.lists(st.none() | ints, min_size=1, max_size=6)
    | st.lists(st.none() | floats | st.sampled_from([float("nan"), float("inf")]), min_size=1, max_size=6)
    | st.lists(st.none() | texts, min_size=1, max_size=6),
)
@relaxed
def test_files_that_keep_types(model: ModelSpec, file_format: FileFormat, values: list[Any], tmp_path: Path) -> None:
    path, frame = tmp_path / "x", rides(len(values), tipped=pl.Series(values, strict=True))
    {"Parquet": frame.write_parquet, "an Arrow stream": frame.write_ipc_stream, "an Arrow file": frame.write_ipc}[
        file_format
    ](path)
    batch = read(path, file_format, contract(model).text_labels)
    expected = [model.labels.parse(value) for value in values]
    if (
        frame.schema["tipped"] == pl.String
        and not contract(model).text_labels
        and any((v or "").strip() for v in values)
    ):
        expected = [None] * len(values)  # texts for numbers: the column has the wrong type
    same(converted(batch, file_format, model), expected)


@pytest.mark.medium
@pytest.mark.sampled(4)
@every_task
@pytest.mark.parametrize(
    "dtype", [pl.Int8, pl.UInt8, pl.Int16, pl.UInt32, pl.UInt64, pl.Int128, pl.Float32, pl.Categorical, pl.Null]
)
def test_other_types_of_the_same_values(model: ModelSpec, dtype: type[pl.DataType]) -> None:
    values: list[Any] = [1, 0, 3, None]
    written = [None if value is None else str(value) for value in values]
    column = pl.Series([None] * 4) if dtype == pl.Null else pl.Series(written).cast(dtype)
    given = written if dtype == pl.Categorical else column.to_list()
    same(converted(RawBatch(rides(4, tipped=column)), "CSV", model), [model.labels.parse(value) for value in given])


BAD = [
    ("regression", [float("nan"), 1.5], "tipped: NaN, send the row when its number is known"),
    ("regression", ["NaN", "1.5"], "tipped: NaN, send the row when its number is known"),
    ("regression", [float("-inf"), 1.5], "tipped: infinite, send a finite number"),
    ("regression", ["-Infinity", "1.5"], "tipped: infinite, send a finite number"),
    ("regression", [1e39, 1.5], "tipped: more than float32 holds, send it in a larger unit"),
    ("regression", ["much", "1.5"], "tipped: not a finite number"),
    ("regression", [None, 1.5], "tipped: label missing, send the row when it is known"),
    ("multiclass", [2.5, 2.0], "tipped: not a text of 1 to 256 characters, or a whole number"),
    ("multiclass", [2**53, 2], "tipped: not a text of 1 to 256 characters, or a whole number"),
    ("multiclass", ["x" * 257, "oak"], "tipped: more than 256 characters, send a short name of the class"),
    ("multiclass", ["a\x00", "oak"], "tipped: holds a NUL character, which can't be stored: remove it"),
    ("multiclass", [" ", "oak"], "tipped: label missing, send the row when it is known"),
]


@pytest.mark.medium
@pytest.mark.parametrize(("task", "values", "reason"), BAD)
def test_a_bad_label_is_quarantined_with_its_reason(task: str, values: list[Any], reason: str) -> None:
    first, *others = values
    frame = rides(10, tipped=[first, *others * 9])
    decision = decide(RawBatch(frame), "CSV", contract(SPECS[task]), NOW)
    assert isinstance(decision, AcceptedBatch)
    assert decision.quarantined["reason"].to_list() == [reason]
    assert decision.rows.height == 9


@pytest.mark.parametrize(
    ("task", "values", "dtype"), [("regression", [True, False], "Boolean"), ("multiclass", [[1], [2]], "List(Int64)")]
)
def test_a_column_of_the_wrong_type_rejects_the_batch(task: str, values: list[Any], dtype: str) -> None:
    decision = decide(RawBatch(rides(2, tipped=values)), "Parquet", contract(SPECS[task]), NOW)
    assert isinstance(decision, RejectedBatch)
    [reason] = decision.reasons
    assert reason.startswith(f"column 'tipped' is {dtype}, ")


def test_texts_for_numbers_are_refused_where_files_keep_types() -> None:
    decision = decide(RawBatch(rides(2, tipped=["1.5", "2"])), "Parquet", contract(SPECS["regression"]), NOW)
    assert isinstance(decision, RejectedBatch)


@pytest.mark.parametrize(("task", "dtype"), [("regression", pl.Float64), ("multiclass", pl.String)])
def test_the_published_column_has_the_type_of_the_task(task: str, dtype: type[pl.DataType]) -> None:
    decision = decide(RawBatch(rides(3, tipped=[1, 2, 1])), "Parquet", contract(SPECS[task]), NOW)
    assert isinstance(decision, AcceptedBatch)
    assert decision.rows.schema["tipped"] == dtype
    assert decision.quality.columns["tipped"].distinct == 2


@pytest.mark.parametrize("kind", ["CSV", "Parquet"])
def test_texts_as_labels_of_the_default_task_name_the_keys_that_take_them(kind: FileFormat) -> None:
    decision = decide(RawBatch(rides(9, tipped=["card", "cash", "none"] * 3)), kind, contract(SPECS["binary"]), NOW)
    assert isinstance(decision, RejectedBatch)
    for key in ("tipped", "`task: multiclass`", "`data.positive`"):
        assert any(key in reason for reason in decision.reasons), decision.reasons
