"""Outcomes to predictions, in any order."""

from __future__ import annotations

import random

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.windows.label_join import OUTCOMES, PREDICTIONS, match

Asked = tuple[str, str | None, int]
Told = tuple[str | None, str | None, int]


def asked(*rows: Asked) -> pa.Table:
    return pa.Table.from_pylist(
        [{"id": i, "entity": e, "event_time": t, "version": 1, "score": 0.5} for i, e, t in rows], schema=PREDICTIONS
    )


def told(*rows: Told) -> pa.Table:
    return pa.Table.from_pylist(
        [{"id": i, "entity": e, "outcome": float(t % 2), "known_at": t} for i, e, t in rows], schema=OUTCOMES
    )


def pairs(table: pa.Table) -> list[tuple[str, int]]:
    return sorted((row["id"], row["known_at"]) for row in table.to_pylist())


def test_by_id() -> None:
    matched = match(asked(("p1", None, 1), ("p2", None, 2)), told(("p2", None, 5), ("p9", None, 6)))
    assert pairs(matched.pairs) == [("p2", 5)]
    assert matched.predictions.column("id").to_pylist() == ["p1"]
    assert matched.outcomes.column("id").to_pylist() == ["p9"]


def test_by_entity_the_next_outcome_is_the_predictions() -> None:
    matched = match(
        asked(("p1", "e", 1), ("p2", "e", 4), ("p3", "e", 9), ("p4", "f", 1), ("p5", None, 1)),
        told((None, "e", 7), (None, "e", 3), (None, "g", 2)),
    )
    assert pairs(matched.pairs) == [("p1", 3), ("p2", 7)]
    assert matched.predictions.column("id").to_pylist() == ["p3", "p4", "p5"]
    assert matched.outcomes.num_rows == 3


def test_an_outcome_known_when_it_was_asked_is_that_predictions() -> None:
    assert pairs(match(asked(("p", "e", 3)), told((None, "e", 3))).pairs) == [("p", 3)]


def test_nothing_on_one_side() -> None:
    assert match(asked(), told(("p", None, 1))).outcomes.num_rows == 1
    assert match(asked(("p", None, 1)), told()).predictions.num_rows == 1


ENTITIES = st.sampled_from(["a", "b", "c"])


@given(
    st.lists(st.tuples(st.booleans(), ENTITIES, st.integers(0, 50), st.integers(0, 50)), max_size=40),
    st.integers(0, 2**32),
)
def test_the_order_of_arrival_does_not_matter(facts: list[tuple[bool, str, int, int]], seed: int) -> None:
    """Each prediction has one outcome at most, by its id or by an entity of its own."""
    rng = random.Random(seed)
    predictions = [(f"p{n}", f"{entity}{n}", time) for n, (_, entity, time, _) in enumerate(facts)]
    outcomes: list[Told] = [
        (f"p{n}", None, known) if by_id else (None, f"{entity}{n}", known)
        for n, (by_id, entity, _, known) in enumerate(facts)
    ]
    expected = pairs(match(asked(*predictions), told(*outcomes)).pairs)
    arrivals = [("asked", p) for p in predictions] + [("told", o) for o in outcomes]
    rng.shuffle(arrivals)
    waiting, unmatched, found = asked(), told(), []
    for kind, row in arrivals:
        waiting = pa.concat_tables([waiting, asked(row)]) if kind == "asked" else waiting  # type: ignore[arg-type]
        unmatched = pa.concat_tables([unmatched, told(row)]) if kind == "told" else unmatched  # type: ignore[arg-type]
        if rng.random() < 0.5:
            matched = match(waiting, unmatched)
            waiting, unmatched = matched.predictions, matched.outcomes
            found += pairs(matched.pairs)
    assert expected == sorted(found + pairs(match(waiting, unmatched).pairs))
