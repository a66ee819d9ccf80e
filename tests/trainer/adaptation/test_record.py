"""The strategy that leads by the record."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.trainer.adaptation.record import ChunkScore, chunk_scores, compare, gain_of_fits, lead, worse_from

RNG = np.random.default_rng(3)


def record(chunks: int, **gains: float) -> list[dict[str, ChunkScore]]:
    """Return a record of `since` with noise, and of others that lose less by their gain, with a little more noise."""
    found = []
    for _ in range(chunks):
        base = RNG.uniform(0.2, 0.4, 400)
        scored = {"since": base} | {
            name.replace("_", " "): base - gain + RNG.normal(0, 0.01, 400) for name, gain in gains.items()
        }
        parts = {name: chunk_scores(losses, 400)[0] for name, losses in scored.items()}
        found.append(parts)
    return found


def test_losses_are_divided_into_chunks_of_about_the_same_size() -> None:
    scores = chunk_scores(np.arange(1_000.0), 300)
    assert [each.rows for each in scores] == [334, 333, 333]
    assert scores[0].mean == pytest.approx(np.arange(334).mean())
    assert scores[0].quarters == pytest.approx([41.5, 125.5, 209.0, 292.0])
    (one,) = chunk_scores(np.array([1.0, 2.0]), 300)
    assert one.quarters == (1.0, 2.0)


def test_a_strategy_that_loses_much_less_leads() -> None:
    found = lead(record(5, fading=0.05, last_800=0.02), "since", ("since", "fading", "last 800"))
    assert found.leader == "fading"
    assert {each.strategy: round(each.advantage, 2) for each in found.comparisons} == {"fading": 0.05, "last 800": 0.02}


def test_a_strategy_that_is_absent_now_does_not_lead() -> None:
    assert lead(record(5, fading=0.05, last_800=0.02), "since", ("since", "last 800")).leader == "last 800"


def test_the_leader_stays_without_a_sure_advantage() -> None:
    found = lead(record(5, fading=0.0), "since", ("since", "fading"))
    assert found.leader == "since"
    (beside,) = found.comparisons
    assert not beside.leads
    assert beside.needed == pytest.approx(2 * beside.error)


def test_a_safe_strategy_needs_one_standard_error_and_others_two() -> None:
    known = record(8, all=0.001, fading=0.001)
    safe, other = (compare(known, "since", name) for name in ("all", "fading"))
    assert safe is not None
    assert other is not None
    assert (safe.needed / safe.error, other.needed / other.error) == pytest.approx((1, 2))


def test_losses_that_move_together_from_chunk_to_chunk_have_the_error_of_chunks() -> None:
    chunks = [{"since": score(mean), "all": score(0.0)} for mean in (0.3, -0.1, 0.2, 0.0)]
    found = compare(chunks, "since", "all")
    assert found is not None
    weights = 0.9 ** np.array([3, 2, 1, 0])
    mean = np.average([0.3, -0.1, 0.2, 0.0], weights=weights)
    assert found.advantage == pytest.approx(mean)
    effective = weights.sum() ** 2 / (weights**2).sum()
    variance = np.average((np.array([0.3, -0.1, 0.2, 0.0]) - mean) ** 2, weights=weights)
    assert found.error == pytest.approx(np.sqrt(variance / (effective - 1)))


def score(mean: float) -> ChunkScore:
    return ChunkScore(100, mean, (mean,) * 4)


def test_of_one_chunk_the_quarters_have_the_error() -> None:
    chunks = [{"since": ChunkScore(4, 0.25, (0.1, 0.2, 0.3, 0.4)), "all": score(0.0)}]
    found = compare(chunks, "since", "all")
    assert found is not None
    assert found.error == pytest.approx(np.std([0.1, 0.2, 0.3, 0.4], ddof=1) / 2)


def test_recent_chunks_count_more() -> None:
    old, new = {"since": score(0.0), "all": score(1.0)}, {"since": score(1.0), "all": score(0.0)}
    found = compare([old, new], "since", "all")
    assert found is not None
    assert found.advantage == pytest.approx((1 - 0.9) / 1.9)


def test_only_chunks_that_both_have_a_score_of_count() -> None:
    found = compare([{"since": score(0.9)}, {"since": score(0.5), "all": score(0.2)}], "since", "all")
    assert found is not None
    assert (found.chunks, found.advantage) == (1, pytest.approx(0.3))
    assert compare([{"since": score(0.9)}], "since", "all") is None


def test_a_difference_of_roundings_is_no_advantage() -> None:
    ours = ChunkScore(100, 0.2, (0.1, 0.2, 0.3, 0.2))
    rounded = ChunkScore(100, 0.2 - 4e-9, tuple(each - 4e-9 for each in ours.quarters))
    assert lead([{"since": ours, "champion": rounded}], "since", ("champion",)).leader == "since"


def test_the_gain_of_fits_is_what_the_champion_lost_more() -> None:
    assert gain_of_fits([{"since": score(0.2), "champion": score(0.3)}], "since") == pytest.approx(0.1)
    assert gain_of_fits([{"since": score(0.2)}], "since") is None


def chunks(*means: float, spread: float = 0.02) -> list[ChunkScore]:
    """Return chunks of 200 rows whose quarters are around these means."""
    off = np.array([-1.0, 1.0, 1.0, -1.0]) * spread
    return [ChunkScore(200, mean, tuple(mean + off)) for mean in means]


@pytest.mark.parametrize(("new", "share"), [((0.5, 0.5), 0.0), ((0.2, 0.5), 0.5), ((0.2, 0.2, 0.2, 0.6), 0.75)])
def test_losses_that_rise_beyond_chance_show_when(new: tuple[float, ...], share: float) -> None:
    assert worse_from(chunks(0.2, 0.21, 0.19), chunks(*new)) == share


def test_losses_that_rise_by_chance_or_fall_are_no_harm() -> None:
    before = chunks(0.2, 0.21, 0.19)
    assert worse_from(before, chunks(0.21)) is None
    assert worse_from(before, chunks(0.05)) is None
    assert worse_from([], chunks(0.9)) is None
    # Chunks that differ as much among themselves: the waves of a correlated stream.
    assert worse_from(chunks(0.1, 0.5, 0.1, 0.5), chunks(0.9)) is None


def test_a_rise_that_a_few_rows_explain_is_no_harm() -> None:
    assert worse_from(chunks(0.002, 0.002, spread=0.0), chunks(0.015, spread=0.0)) is None
    assert worse_from(chunks(0.002, 0.002, spread=0.0), chunks(0.03, spread=0.0)) == 0.0


def test_a_rise_of_one_day_is_no_harm_where_rows_of_a_day_depend_on_each_other() -> None:
    new = chunks(0.2, 0.2, 0.2, 0.35)
    assert worse_from(chunks(0.2, 0.21, 0.19), new) == 0.75
    assert worse_from(chunks(0.2, 0.21, 0.19), new, dependent=800) is None


def test_dependent_rows_make_errors_larger_and_a_few_blocks_of_them_show_nothing() -> None:
    known = record(4, fading=0.05)
    independent, dependent = (compare(known, "since", "fading", rows) for rows in (1.0, 300.0))
    assert independent is not None
    assert dependent is not None
    # A quarter has 100 rows, and a chunk 400.
    assert independent.error < dependent.error <= independent.error * np.sqrt(3) + 1e-12
    assert compare(known, "since", "fading", 321.0) is None, "1,600 rows are fewer than five blocks"
    assert lead(known, "since", ("since", "fading"), 321.0).leader == "since"
