"""The join of outcomes and predictions, in any order."""

from __future__ import annotations

import random

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.windows.label_join import OUTCOMES, PREDICTIONS, join

Predicted = tuple[str, str | None, int]
Known = tuple[str | None, str | None, int]


def predictions_of(*rows: Predicted) -> pa.Table:
    return pa.Table.from_pylist(
        [{"id": i, "entity": e, "event_time": t, "version": 1, "score": 0.5} for i, e, t in rows], schema=PREDICTIONS
    )


def outcomes_of(*rows: Known) -> pa.Table:
    return pa.Table.from_pylist(
        [{"id": i, "entity": e, "outcome": float(t % 2), "known_at": t} for i, e, t in rows], schema=OUTCOMES
    )


def pairs(table: pa.Table) -> list[tuple[str, int]]:
    return sorted((row["id"], row["known_at"]) for row in table.to_pylist())


def test_by_id() -> None:
    matched = join(predictions_of(("p1", None, 1), ("p2", None, 2)), outcomes_of(("p2", None, 5), ("p9", None, 6)))
    assert pairs(matched.pairs) == [("p2", 5)]
    assert matched.predictions.column("id").to_pylist() == ["p1"]
    assert matched.outcomes.column("id").to_pylist() == ["p9"]


def test_by_entity_the_next_outcome_is_the_predictions() -> None:
    matched = join(
        predictions_of(("p1", "e", 1), ("p2", "e", 4), ("p3", "e", 9), ("p4", "f", 1), ("p5", None, 1)),
        outcomes_of((None, "e", 7), (None, "e", 3), (None, "g", 2)),
    )
    assert pairs(matched.pairs) == [("p1", 3), ("p2", 7)]
    assert matched.predictions.column("id").to_pylist() == ["p3", "p4", "p5"]
    assert matched.outcomes.num_rows == 3


def test_an_outcome_known_at_the_predictions_event_time_belongs_to_it() -> None:
    assert pairs(join(predictions_of(("p", "e", 3)), outcomes_of((None, "e", 3))).pairs) == [("p", 3)]


def test_an_empty_side_matches_nothing() -> None:
    assert join(predictions_of(), outcomes_of(("p", None, 1))).outcomes.num_rows == 1
    assert join(predictions_of(("p", None, 1)), outcomes_of()).predictions.num_rows == 1


ENTITIES = st.sampled_from(["a", "b", "c"])


@given(
    st.lists(st.tuples(st.booleans(), ENTITIES, st.integers(0, 50), st.integers(0, 50)), max_size=40),
    st.integers(0, 2**32),
)
def test_the_order_of_arrival_does_not_matter(facts: list[tuple[bool, str, int, int]], seed: int) -> None:
    """Each prediction has one outcome at most, by its id or by an entity of its own."""
    rng = random.Random(seed)
    predictions = [(f"p{n}", f"{entity}{n}", time) for n, (_, entity, time, _) in enumerate(facts)]
    outcomes: list[Known] = [
        (f"p{n}", None, known) if by_id else (None, f"{entity}{n}", known)
        for n, (by_id, entity, _, known) in enumerate(facts)
    ]
    expected = pairs(join(predictions_of(*predictions), outcomes_of(*outcomes)).pairs)
    arrivals = [("prediction", p) for p in predictions] + [("outcome", o) for o in outcomes]
    rng.shuffle(arrivals)
    waiting, unmatched, found = predictions_of(), outcomes_of(), []
    for kind, row in arrivals:
        waiting = pa.concat_tables([waiting, predictions_of(row)]) if kind == "prediction" else waiting  # type: ignore[arg-type]
        unmatched = pa.concat_tables([unmatched, outcomes_of(row)]) if kind == "outcome" else unmatched  # type: ignore[arg-type]
        if rng.random() < 0.5:
            matched = join(waiting, unmatched)
            waiting, unmatched = matched.predictions, matched.outcomes
            found += pairs(matched.pairs)
    assert expected == sorted(found + pairs(join(waiting, unmatched).pairs))
