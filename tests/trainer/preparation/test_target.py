"""Target encoding: the shrunk mean of each level, out of fold for the training rows, the same in the graph."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from rondo.trainer.preparation.target import FOLDS, PRIOR_ROWS, TargetEncoding, fit
from sklearn.metrics import roc_auc_score

from tests.trainer.preparation.graphs import run_on_text

TEXT = pl.Series(["AA", "AA", "UA", ""])
LABELS = np.array([[1], [1], [0], [0]], dtype=np.float32)
STRANGE = pl.Series(["AA", "", "ZZ", "aa", " AA", "Ünïcode", "A" * 10_000])


def encoded(encoding: TargetEncoding, text: str) -> float:
    return float(encoding.apply(pl.Series([text]))[0, 0])


def test_a_category_is_its_mean_drawn_to_the_mean_of_all_rows() -> None:
    encoding, _ = fit(TEXT, LABELS)
    assert encoded(encoding, "AA") == pytest.approx((2 + PRIOR_ROWS * 0.5) / (2 + PRIOR_ROWS))
    assert encoded(encoding, "UA") == pytest.approx((0 + PRIOR_ROWS * 0.5) / (1 + PRIOR_ROWS))


def test_a_value_is_drawn_to_the_mean_likewise() -> None:
    encoding, _ = fit(TEXT, np.array([[10.0], [20.0], [-6.0], [0.0]], dtype=np.float32))
    assert encoded(encoding, "AA") == pytest.approx((30 + PRIOR_ROWS * 6) / (2 + PRIOR_ROWS))


def test_a_category_never_seen_is_the_mean_and_a_missing_one_is_a_category() -> None:
    encoding, _ = fit(TEXT, LABELS)
    assert encoded(encoding, "ZZ") == 0.5
    assert encoded(encoding, "") == np.float32(PRIOR_ROWS * 0.5 / (1 + PRIOR_ROWS))


def test_a_missing_category_is_the_mean_where_none_was_ever_missing() -> None:
    encoding, _ = fit(TEXT[:3], LABELS[:3])
    assert encoded(encoding, "") == np.float32(2 / 3)


def test_the_table_does_not_depend_on_the_order_of_the_rows() -> None:
    one, other = fit(TEXT, LABELS)[0], fit(TEXT.reverse(), LABELS[::-1])[0]
    assert one.levels == other.levels
    np.testing.assert_array_equal(one.means, other.means)


def test_a_training_row_is_encoded_by_the_rows_of_the_other_folds() -> None:
    rng = np.random.default_rng(3)
    text = pl.Series(rng.choice(["a", "b", "c"], size=203))
    labels = rng.integers(0, 2, size=(203, 1)).astype(np.float32)
    _, training = fit(text, labels)
    for fold in range(FOLDS):
        inside = np.arange(203) % FOLDS == fold
        encoding, _ = fit(text.filter(pl.Series(~inside)), labels[~inside])
        np.testing.assert_array_equal(training[inside], encoding.apply(text.filter(pl.Series(inside))))


def test_ten_thousand_levels_that_say_nothing_do_not_give_the_label_away() -> None:
    rng = np.random.default_rng(4)
    text = pl.Series([f"level-{i}" for i in rng.integers(0, 10_000, size=30_000)])
    labels = rng.integers(0, 2, size=(30_000, 1)).astype(np.float32)
    encoding, training = fit(text, labels)
    assert roc_auc_score(labels, encoding.apply(text)) > 0.7
    assert abs(roc_auc_score(labels, training) - 0.5) < 0.02


@pytest.mark.parametrize("targets", [1, 3])
def test_the_graph_encodes_the_same(targets: int) -> None:
    text = pl.concat([TEXT] * 50)
    values = np.random.default_rng(5).normal(size=(200, targets)).astype(np.float32)
    encoding, _ = fit(text, values)
    for rows in (TEXT, STRANGE, STRANGE[:1], STRANGE[:0]):
        expected = encoding.apply(rows)
        assert (expected.shape, expected.dtype) == ((len(rows), targets), np.float32)
        np.testing.assert_array_equal(run_on_text(encoding.onnx_nodes, rows), expected)


def test_a_single_row_is_encoded() -> None:
    encoding, training = fit(pl.Series(["a"]), np.ones((1, 1), np.float32))
    assert (encoded(encoding, "a"), training.shape) == (1.0, (1, 1))
