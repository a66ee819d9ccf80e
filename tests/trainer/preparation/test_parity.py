"""Training and graph prepare rows alike, to the last digit: any spec, any rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st
from rondo.contracts.spec.model import Feature, Prepare
from rondo.contracts.spec.preparation.expressions import parse_expression, references
from rondo.trainer.preparation import preparation
from rondo.trainer.preparation.impute import NothingToImputeError
from rondo.trainer.preparation.inputs import onnx_inputs

from tests.trainer.preparation.graphs import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import DrawFn

NUMBERS, CATEGORIES = ("a", "b", "c"), ("x", "y", "z")
FEATURES = {name: Feature(type="float", optional=True) for name in NUMBERS} | {
    name: Feature(type="category", optional=True) for name in CATEGORIES
}
SCHEMA = dict.fromkeys(NUMBERS, pl.Float32) | dict.fromkeys(CATEGORIES, pl.String)
EDGES = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-45,
    -1e-45,
    3.4028234663852886e38,
    -3.4028234663852886e38,
    float("inf"),
    -float("inf"),
]
numbers = st.none() | st.floats(width=32) | st.sampled_from(EDGES) | st.integers(-9, 9).map(float)
times = st.datetimes().map(lambda time: time.isoformat(" ", "minutes")) | st.datetimes().map(lambda t: t.isoformat())
dates = st.dates().map(str) | times | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}Z)?", fullmatch=True)
storable = st.characters(codec="utf-8", exclude_characters="\x00")
texts = st.none() | st.sampled_from(["", "p", "q", "P", "é", "A" * 300]) | st.text(storable, max_size=4) | dates
rows = st.tuples(numbers, numbers, numbers, texts, texts, texts)
PARTS = ("year", "month", "day", "weekday", "hour")
columns = st.sampled_from(NUMBERS)
constants = st.floats(-9, 9).map(repr) | st.sampled_from(["0", "1", "1e-30", "1e38"])


def combined(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one, two = st.sampled_from(["log", "log1p", "exp", "sqrt", "abs", "-"]), st.sampled_from(["min", "max"])
    return (
        st.builds(lambda left, operator, right: f"({left} {operator} {right})", part, st.sampled_from("+-*/"), part)
        | st.builds(lambda name, argument: f"{name}({argument})", one, part)
        | st.builds(lambda name, *arguments: f"{name}({', '.join(arguments)})", two, part, part, part)
    )


expressions = st.recursive(columns | constants, combined, max_leaves=6).filter(
    lambda text: any(references(parse_expression(text)))
)


@st.composite
def prepares(draw: DrawFn) -> Prepare:
    dated = draw(
        st.dictionaries(st.sampled_from(CATEGORIES), st.lists(st.sampled_from(PARTS), min_size=1, unique=True))
    )
    parts = [f"{name}_{part}" for name, parts in dated.items() for part in parts]
    derived = draw(st.dictionaries(st.sampled_from(["d", "e"]), expressions))
    dropped = draw(st.lists(st.sampled_from([*NUMBERS, *parts, *sorted(CATEGORIES - dated.keys())]), unique=True))
    kept = sorted({*NUMBERS, *parts, *derived} - {*dropped})
    encoded = sorted({*CATEGORIES} - dated.keys() - {*dropped})
    assume(kept or encoded)
    fills = st.sampled_from(["mean", "median", 0, -1.5])
    return Prepare(
        impute=draw(some(kept, fills)),
        scale=draw(some(kept, st.sampled_from(["standard", "minmax"]))),
        encode=draw(some(encoded, st.sampled_from(["target", "one_hot", "hash"]))),
        hash_buckets=draw(st.integers(2, 9)),
        one_hot_levels=draw(st.integers(1, 4)),
        dates=dated,
        derive=derived,
        drop=dropped,
    )


def some(names: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Mapping[str, Any]]:
    return st.dictionaries(st.sampled_from(names), values) if names else st.just({})


@pytest.mark.medium
@given(prepares(), st.lists(rows, min_size=1, max_size=20), st.lists(rows, min_size=1, max_size=20), st.integers(1, 3))
def test_the_graph_prepares_as_training_does(
    prepare: Prepare, training: list[tuple[Any, ...]], others: list[tuple[Any, ...]], targets: int
) -> None:
    seen, unseen = (pl.DataFrame(each, schema=SCHEMA, orient="row") for each in (training, others))
    labels = np.random.default_rng(1).normal(size=(len(training), targets)).astype(np.float32)
    try:
        prepared, matrix = preparation.fit(FEATURES, prepare, seen, labels)
    except NothingToImputeError:
        event("nothing to impute")
        return
    assert matrix.shape == (len(training), len(prepared.columns))
    for frame in (seen, unseen, unseen[:1]):
        expected = prepared.apply(frame)
        assert (expected.shape, expected.dtype) == ((frame.height, len(prepared.columns)), np.float32)
        graph = run(prepared.onnx_nodes("output"), onnx_inputs(FEATURES, frame), prepared.opset)
        # NaN is like NaN, and 0 like -0, which no step and no estimator distinguishes.
        np.testing.assert_array_equal(graph, expected)
