"""Projections are the same for the same training, and show a changed dependence between features."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from rondo.chassis.profiles.binning import Binning
from rondo.chassis.profiles.components import components
from rondo.chassis.profiles.projections import Projector, is_projection, projection_name
from rondo.contracts.spec.model import Feature
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile, ReferenceProfile
from rondo.trainer.evaluation.reference_blocks import PROJECTIONS, draw, of_features
from rondo.trainer.evaluation.reference_profile import of_features as profiles_of

from tests.chassis.profiles.counts import row_counts

NAMES = ("a", "b", "c", "d")
HALVES = NumericProfile(edges=(0.0,), counts=(5, 5))


def table(values: np.ndarray) -> pa.Table:
    """Return rows as the monitor reads them. Values have the shape [rows, features]."""
    return pa.table({f"feature.{name}": values[:, at].astype(np.float32) for at, name in enumerate(NAMES)})


def reference(values: np.ndarray) -> ReferenceProfile:
    rows = pl.DataFrame({name: values[:, at].astype(np.float32) for at, name in enumerate(NAMES)})
    features = profiles_of({name: Feature(type="float") for name in NAMES}, rows)
    blocks, projections = of_features(features, rows)
    return ReferenceProfile(
        rows=len(values),
        features=features,
        outputs={},
        task=FittedTask(task="binary"),
        performance={},
        feature_blocks=blocks,
        projections=projections,
    )


def moved(profile: ReferenceProfile, rows: pa.Table) -> dict[str, float]:
    """Return the largest distance of each column's means of components from those of the reference."""
    assert profile.projections
    binning, profiles = Binning.of(profile), profile.features | profile.projections.profiles
    counts, before = row_counts(binning, rows), binning.reference(profile)
    return {
        column.name: float(np.abs(watched.means(column.of(counts)) - watched.means(column.of(before))).max())
        for column in binning.watched
        if (watched := components(profiles[column.name]))
    }


def test_features_that_begin_to_go_together_move_projections_and_no_feature() -> None:
    rng = np.random.default_rng(1)
    profile = reference(rng.normal(size=(20_000, 4)))
    together = rng.normal(size=(20_000, 4))
    together[:, 1] = 0.95 * together[:, 0] + np.sqrt(1 - 0.95**2) * together[:, 1]
    found = moved(profile, table(together))
    assert max(found[name] for name in NAMES) < 0.05
    assert max(found.values()) > 0.3
    assert max(moved(profile, table(rng.normal(size=(20_000, 4)))).values()) < 0.05


def test_a_heavy_tail_does_not_hide_the_other_features() -> None:
    rng = np.random.default_rng(2)

    def rows(*, together: bool) -> np.ndarray:
        values = np.exp(4 * rng.normal(size=(20_000, 4)))
        values[:, 1] = np.log(values[:, 0] if together else rng.permutation(values[:, 0]))
        return values

    assert max(moved(reference(rows(together=False)), table(rows(together=True))).values()) > 0.3


def test_the_weights_are_directions_that_follow_from_the_profile() -> None:
    profiles = {"a": HALVES, "b": HALVES, "city": CategoricalProfile(counts={"oslo": 1}), "c": HALVES}
    weights = draw(profiles)
    assert (list(weights), {len(each) for each in weights.values()}) == (["a", "b", "c"], {PROJECTIONS})
    assert (np.array(list(weights.values())) ** 2).sum(axis=0) == pytest.approx(np.ones(PROJECTIONS), abs=1e-5)
    assert draw(profiles) == weights
    assert draw(profiles | {"a": NumericProfile(edges=(1.0,), counts=(5, 5))}) != weights


@pytest.mark.parametrize(
    "other",
    [{}, {"b": NumericProfile(edges=(0.0,), counts=(0, 9))}, {"b": CategoricalProfile(counts={"oslo": 1, "rome": 2})}],
    ids=["alone", "beside a constant", "beside a category"],
)
def test_a_single_feature_is_not_projected(other: dict[str, NumericProfile | CategoricalProfile]) -> None:
    assert draw({"a": HALVES} | other) == {}


def test_a_missing_value_counts_as_the_mean() -> None:
    weights = {"a": (0.6, 1.0), "b": (0.8, 0.0)}
    projector = Projector.of({"a": HALVES, "b": HALVES}, weights)
    projected = projector.zeros(3)
    # Below the median, above it, and missing: of two halves the levels are those of the ranks 1/4 and 3/4.
    projector.add(projected, "a", np.array([0, 1, 2]))
    projector.add(projected, "b", np.array([0, 2, 2]))
    level = np.sqrt(3) / 2
    expected = [[-1.4 * level, -level], [0.6 * level, level], [0, 0]]
    assert projected == pytest.approx(np.array(expected), abs=2**-12)


def test_the_name_of_a_projection_is_that_of_no_feature() -> None:
    projections = reference(np.random.default_rng(5).normal(size=(50, 4))).projections
    assert projections
    assert list(projections.profiles) == [projection_name(number) for number in range(1, PROJECTIONS + 1)]
    assert all(map(is_projection, projections.profiles))
    assert not any(map(is_projection, ("projection_1", "a", None)))


def test_the_order_of_the_features_changes_no_value() -> None:
    rng = np.random.default_rng(3)
    profiles = {f"x{at}": NumericProfile(edges=(0.0, 1.0), counts=(3, 1, at + 1)) for at in range(50)}
    projector = Projector.of(profiles, draw(profiles))
    bins = {name: rng.integers(4, size=100) for name in profiles}
    values = []
    for names in (list(profiles), list(profiles)[::-1]):
        values.append(projector.zeros(100))
        for name in names:
            projector.add(values[-1], name, bins[name])
    assert (values[0] == values[1]).all()


def test_projections_of_a_later_release_are_left_out() -> None:
    profile = reference(np.random.default_rng(4).normal(size=(100, 4)))
    read = profile.model_dump()
    read["projections"]["profiles"]["projection 2"] = {"kind": "sketch"}
    assert Binning.of(ReferenceProfile.model_validate(read)).projections == ()
    read = profile.model_dump()
    read["features"]["a"] = {"kind": "sketch"}
    later = ReferenceProfile.model_validate(read)
    binning = Binning.of(later)
    assert (binning.projections, len(binning.columns)) == ((), 3)
    assert binning.size == len(binning.reference(later))
