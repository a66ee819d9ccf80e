"""Values by trees are those of all sets of features, for random trees in onnxruntime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rondo.serving.explanations.exact import exact_shapley
from rondo.serving.explanations.trees.tree_model_onnx import TreeModel

from tests.serving.builders import version_of
from tests.serving.explanations.trees.handmade import FEATURES, NODES, ROWS, built, columns_of

if TYPE_CHECKING:
    from tests.serving.explanations.trees.handmade import Split


@pytest.mark.medium
@settings(max_examples=50, deadline=None)
@given(st.lists(NODES, min_size=1, max_size=3), ROWS, ROWS)
def test_the_values_are_those_of_all_sets_of_features(
    trees: list[Split | float], rows: list[Any], background: list[Any]
) -> None:
    version = version_of("m", 1, built(trees), FEATURES)
    given_rows, known = columns_of(rows), columns_of(background)

    def answers(columns: Any) -> Any:
        return version.scorer.score(columns)["value"].reshape(-1, 1)

    model = TreeModel(built(trees), version, known)
    found = model.explain(given_rows, answers(given_rows))
    assert model.is_sum
    for number, each in enumerate(found):
        row = {name: column[number] for name, column in given_rows.items()}
        wanted = exact_shapley(answers, row, known)
        assert each.values == pytest.approx(wanted.values, abs=1e-5)
        assert each.base == pytest.approx(wanted.base, abs=1e-5)
        assert each.base + each.values.sum() == pytest.approx(answers(given_rows)[number], abs=1e-5)
        assert not each.errors.any()
