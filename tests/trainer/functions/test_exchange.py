"""The process of a function receives the columns that the inputs of a graph are made of, as texts or as codes."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.model import Feature
from rondo.trainer.functions.context import FunctionContext
from rondo.trainer.functions.exchange import ComparedRows, Request, read_request
from rondo.trainer.functions.trainer import columns_of
from rondo.trainer.preparation.inputs import onnx_inputs
from rondo.trainer.preparation.levels import encoded

FEATURES = {"carrier": Feature(type="category", optional=True), "temp": Feature(type="float", optional=True)}


@pytest.mark.medium
@pytest.mark.parametrize("as_codes", [False, True])
@given(texts=st.lists(st.none() | st.sampled_from(["AA", "UA", "", "Ünïcode"]), min_size=1))
def test_columns_are_received_as_a_graph_gets_them(texts: list[str | None], *, as_codes: bool) -> None:
    numbers = [None if text is None else float(len(text)) for text in texts]
    rows = pl.DataFrame({"carrier": texts, "temp": numbers}, schema={"carrier": pl.String, "temp": pl.Float64})
    matrix, labels = np.ones((len(texts), 2), np.float32, order="F"), np.arange(len(texts), dtype=np.float32)
    context = FunctionContext("binary", "probability", ("0", "1"), 7, {"depth": 3}, 1, matrix, ("a", "b"))
    compared = ComparedRows(columns_of(FEATURES, rows[:1]), np.zeros((1, 2), np.float32))
    file = BytesIO()
    sent = Request(columns_of(FEATURES, encoded(FEATURES, rows) if as_codes else rows), labels, context, compared)
    sent.write(file, "folder", "own:train")
    file.seek(0)
    path, function, received = read_request(file)
    assert (path, function, received.context.params) == ("folder", "own:train", {"depth": 3})
    np.testing.assert_array_equal(received.labels, labels)
    np.testing.assert_array_equal(received.context.matrix, matrix)
    np.testing.assert_array_equal(received.compared.matrix, compared.matrix)
    for found, sent_rows in ((received.arrays, rows), (received.compared.arrays, rows[:1])):
        assert list(found) == list(FEATURES)
        for name, wanted in onnx_inputs(FEATURES, sent_rows).items():
            assert found[name].dtype == wanted.dtype
            assert found[name].flags.writeable
            np.testing.assert_array_equal(found[name].reshape(-1, 1), wanted)


@pytest.mark.medium
def test_the_process_of_a_function_imports_no_library_of_tables() -> None:
    code = "import rondo.trainer.functions.__main__, sys; sys.exit(not {'polars', 'pyarrow'}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own command
