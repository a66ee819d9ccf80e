"""The parts of a job have each row once, fit into a message, and are deterministic."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events import scores
from rondo.contracts.spec.model import Feature
from rondo.ingestion.scoring.jobs import starts
from rondo.ingestion.scoring.plan import RowGroup, Speed, divide, most_rows, rows_of_a_part

GROUPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300), st.integers(0, 50_000)), max_size=8)


@given(GROUPS, st.integers(1, 64), st.integers(1, 4_000))
def test_each_row_is_in_one_part(groups: list[tuple[str, int, int]], most: int, target: int) -> None:
    found = [RowGroup(file, number, rows, size) for number, (file, rows, size) in enumerate(groups)]
    parts = divide(found, most, target)
    assert parts == divide(found, most, target)
    assert [part.number for part in parts] == list(range(len(parts)))
    rows = [(part.file, part.row_group, part.skipped + row) for part in parts for row in range(part.rows)]
    assert rows == [(group.file, group.number, row) for group in found for row in range(group.rows)]
    numbers = [part.first_row + row for part in parts for row in range(part.rows)]
    assert numbers == list(range(sum(group.rows for group in found)))
    assert all(1 <= part.rows <= most for part in parts)


@pytest.mark.parametrize(
    ("rows", "size", "found"), [(1_000, 10_000, 100), (1_000, 100, 500), (10, 10**9, 1), (1_000, 0, 500)]
)
def test_a_part_has_about_so_many_bytes(rows: int, size: int, found: int) -> None:
    assert rows_of_a_part(RowGroup("a", 0, rows, size), 500, 1_000) == found


@pytest.mark.medium
@pytest.mark.parametrize(
    ("columns", "task"), [(2, "multiclass"), (200, "binary"), (20, "regression"), (2, ""), (600, "new")]
)
def test_the_largest_part_and_its_answer_fit_a_message(columns: int, task: str) -> None:
    features = {f"f{number}": Feature(type="float") for number in range(columns)}
    rows = min(most_rows(features, task), scores.MAX_ROWS)
    random = np.random.default_rng(1)
    message = {f"feature.{name}": random.normal(size=rows) for name in features}
    assert len(scores.encode(pa.RecordBatch.from_pydict(message))) < 0.75 * scores.MAX_MESSAGE_BYTES
    classes = 200 if task in {"multiclass", "", "new"} else 0
    ends = np.arange(rows + 1, dtype=np.int32) * classes
    answer = {
        "row": np.arange(rows), "entity": [f"{number:030}" for number in range(rows)],
        "event_time": pa.array(np.arange(rows), pa.timestamp("us", "UTC")), "label": ["class 17"] * rows,
        "score": random.random(rows, np.float32),
        "probabilities": pa.ListArray.from_arrays(ends, random.random(rows * classes, np.float32)),
        "error": pa.nulls(rows, pa.string()), "message": pa.nulls(rows, pa.string()),
    }  # fmt: skip
    assert len(scores.encode(pa.RecordBatch.from_pydict(answer))) < 0.9 * scores.MAX_MESSAGE_BYTES
    assert rows > 400


def test_the_speed_says_how_long_the_rest_takes() -> None:
    assert Speed(600, 60).per_second == 10
    assert Speed(600, 60).seconds_for(50) == 5
    assert Speed(0, 60).seconds_for(50) is None
    assert Speed(10, 0).per_second is None


@pytest.mark.parametrize(
    ("state", "begins"), [(None, True), ("failed", True), ("queued", False), ("running", False), ("done", False)]
)
def test_the_same_request_starts_a_job_that_is_new_or_failed(state: str | None, begins: bool) -> None:  # noqa: FBT001
    assert starts(state) is begins
