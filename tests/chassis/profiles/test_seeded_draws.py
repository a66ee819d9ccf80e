"""Numbers that break ties are uniform, do not depend on how many are drawn at once, and never change."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.chassis.profiles import seeded_draws
from scipy import stats

SEED = seeded_draws.by_counter("sha256:1/inputs/32")


@pytest.mark.parametrize("seed", [SEED, "sha256:1/inputs/32"])
def test_a_number_depends_on_its_block_and_component_alone(seed: str) -> None:
    together = seeded_draws.of_blocks(seed, 100, 40, 6)
    assert together.shape == (2, 6, 40)
    for first, number in ((100, 1), (107, 3), (139, 1)):
        alone = seeded_draws.of_blocks(seed, first, number, 6)
        assert alone.tolist() == together[:, :, first - 100 : first - 100 + number].tolist()


def test_numbers_are_uniform_and_independent() -> None:
    drawn = seeded_draws.of_blocks(SEED, 512, 2_000, 20)
    assert (drawn.min() > 0, drawn.max() < 1) == (True, True)
    assert stats.kstest(drawn.ravel(), "uniform").pvalue > 0.01
    rows = drawn.reshape(40, -1)
    correlated = np.corrcoef(np.concatenate([rows[:, :-1], rows[:, 1:]]))
    # Of 3,160 pairs the largest of 1,999 rows each.
    assert np.abs(correlated - np.eye(80))[~np.eye(80, dtype=bool)].max() < 0.12


@pytest.mark.parametrize("bits", [0, 2**64 - 1])
def test_no_number_is_rounded_to_an_end(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeded_draws, "mix", lambda values: np.full_like(values, bits))
    (drawn,) = set(seeded_draws.of_blocks(SEED, 0, 1, 1).ravel().tolist())
    assert 0 < drawn < 1


def test_numbers_stay_the_same_from_release_to_release() -> None:
    """A test in a checkpoint has ranked its blocks with these numbers."""
    assert seeded_draws.of_blocks("a/32", 7, 1, 1).ravel().tolist() == [0.9945824944304144, 0.9310677025004165]
    assert seeded_draws.of_blocks(seeded_draws.by_counter("a/32"), 7, 1, 1).ravel().tolist() == [
        0.4269715111968687,
        0.050360056816925236,
    ]
