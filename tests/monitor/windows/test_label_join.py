"""The join of outcomes and predictions, in any order of arrival."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.monitor.windows.label_join import OUTCOMES, PREDICTIONS, concatenated, join
from rondo.monitor.windows.labelled import LabelledRows
from rondo.monitor.windows.tumbling import TumblingWindows

Predicted = tuple[str, str | None, int]
Known = tuple[str | None, str | None, int, float]
# One window from 0 to 100, which closes at 120.
ROW = OUTCOMES.get_field_index("row")
TUMBLING = TumblingWindows(100, 20, step=100, bucket=100)


def predictions(*rows: Predicted) -> pa.Table:
    return pa.Table.from_pylist(
        [{"id": i, "entity": e, "event_time": t, "version": 1, "number": 0.5, "row": n}
         for n, (i, e, t) in enumerate(rows)],
        schema=pa.schema([*PREDICTIONS, *PREDICTED]),
    )  # fmt: skip


def outcomes(*rows: Known, first: int = 0) -> pa.Table:
    return pa.Table.from_pylist(
        [{"id": i, "entity": e, "known_at": t, "outcome": value, "row": n}
         for n, (i, e, t, value) in enumerate(rows, first)],
        schema=pa.schema([*OUTCOMES, *OBSERVED]),
    )  # fmt: skip


def labels(table: pa.Table) -> list[tuple[str, int, float]]:
    return sorted((row["id"], row["known_at"], row["outcome"]) for row in table.to_pylist())


def test_by_id() -> None:
    joined = join(
        predictions(("p1", None, 1), ("p2", None, 2)), outcomes(("p2", None, 5, 1), ("p9", None, 6, 1)), TUMBLING
    )
    assert labels(joined.pairs) == [("p2", 5, 1)]
    assert joined.predictions.column("id").to_pylist() == ["p1"]
    assert joined.outcomes.column("id").to_pylist() == ["p9"]


def test_by_id_the_last_outcome_known_in_time_counts() -> None:
    known = outcomes(("p", None, 50, 0), ("p", None, 90, 1), ("p", None, 120, 0), ("p", None, 121, 1))
    joined = join(predictions(("p", None, 1)), known, TUMBLING)
    assert (labels(joined.pairs), joined.late, joined.outcomes.num_rows) == ([("p", 120, 0)], 0, 0)


def test_of_outcomes_known_at_the_same_moment_the_last_to_arrive_counts() -> None:
    known = outcomes(("p", None, 50, 1), ("p", None, 50, 0), (None, "e", 7, 1), (None, "e", 7, 0), (None, "e", 8, 1))
    joined = join(predictions(("p", None, 1), ("q", "e", 2)), known, TUMBLING)
    assert labels(joined.pairs) == [("p", 50, 0), ("q", 7, 0)]


def test_an_outcome_by_id_takes_precedence_over_one_by_entity() -> None:
    known = outcomes((None, "e", 5, 0), ("p", None, 90, 1))
    assert labels(join(predictions(("p", "e", 1)), known, TUMBLING).pairs) == [("p", 90, 1)]


def test_by_entity_the_next_outcome_is_the_predictions() -> None:
    joined = join(
        predictions(("p1", "e", 1), ("p2", "e", 4), ("p3", "e", 9), ("p4", "f", 1), ("p5", None, 1)),
        outcomes((None, "e", 7, 1), (None, "e", 3, 1), (None, "g", 2, 1)),
        TUMBLING,
    )
    assert labels(joined.pairs) == [("p1", 3, 1), ("p2", 7, 1)]
    assert joined.predictions.column("id").to_pylist() == ["p3", "p4", "p5"]
    assert joined.outcomes.num_rows == 3


def test_an_outcome_known_at_the_predictions_event_time_belongs_to_it() -> None:
    assert labels(join(predictions(("p", "e", 3)), outcomes((None, "e", 3, 1)), TUMBLING).pairs) == [("p", 3, 1)]


def test_an_outcome_known_after_the_close_time_is_late() -> None:
    joined = join(
        predictions(("p", None, 1), ("q", "e", 1)), outcomes(("p", None, 121, 1), (None, "e", 121, 1)), TUMBLING
    )
    assert (joined.pairs.num_rows, joined.late, joined.predictions.num_rows) == (0, 2, 0)


def test_an_empty_side_matches_nothing() -> None:
    assert join(predictions(), outcomes(("p", None, 1, 1)), TUMBLING).outcomes.num_rows == 1
    assert join(predictions(("p", None, 1)), outcomes(), TUMBLING).predictions.num_rows == 1


KEYS = st.sampled_from(["a", "b"])


@pytest.mark.medium
@given(
    st.lists(st.tuples(KEYS, st.integers(0, 99)), max_size=12),
    st.lists(st.tuples(st.none() | st.integers(0, 11), KEYS, st.integers(0, 120), st.booleans()), max_size=24),
    st.integers(0, 2**32),
)
def test_the_labels_are_those_of_one_join_however_predictions_and_outcomes_arrive(
    asked: list[tuple[str, int]], known: list[tuple[int | None, str, int, bool]], seed: int
) -> None:
    rng = random.Random(seed)
    table = predictions(*((f"p{n}", entity, time) for n, (entity, time) in enumerate(asked)))
    facts = outcomes(*((None if n is None else f"p{n}", entity, at, float(value)) for n, entity, at, value in known))
    arrivals = [("prediction", n) for n in range(table.num_rows)] + [("outcome", n) for n in range(facts.num_rows)]
    rng.shuffle(arrivals)
    # Among equal times the last arrival counts.
    ranks = {index: number for number, (kind, index) in enumerate(arrivals) if kind == "outcome"}
    ranked = facts.set_column(ROW, "row", pa.array([ranks[n] for n in range(facts.num_rows)], pa.int64()))
    expected = labels(join(table, ranked, TUMBLING).pairs)
    waiting, unmatched, labelled = predictions(), outcomes(), LabelledRows()
    for number, (kind, index) in enumerate(arrivals):
        if kind == "prediction":
            waiting = concatenated([waiting, table.slice(index, 1)])
        else:
            arrived = facts.slice(index, 1).set_column(ROW, "row", pa.array([number]))
            unmatched = concatenated([unmatched, arrived])
        if rng.random() < 0.5 or number == len(arrivals) - 1:
            joined = join(waiting, unmatched, TUMBLING)
            waiting, unmatched = joined.predictions, joined.outcomes
            labelled.add(joined.pairs)
            corrections = labelled.correct(unmatched, TUMBLING)
            assert labels(corrections.before) != labels(corrections.after) or not corrections.after.num_rows
            unmatched = unmatched.filter(pa.array(~corrections.consumed))
    assert expected == labels(labelled.table)
    assert (np.diff(labelled.table.column("row").to_numpy()) > 0).all()
