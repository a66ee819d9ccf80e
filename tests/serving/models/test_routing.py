"""Routing: the shares hold, and a key always gets the same version."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.key_position import position
from rondo.serving.models.routing import choose


@given(st.text(), st.text())
def test_a_key_always_falls_into_the_same_place(model: str, key: str) -> None:
    assert 0 <= position(model, key) < 1
    assert position(model, key) == position(model, key)


@pytest.mark.medium
@given(st.floats(0, 1, exclude_max=True), st.lists(st.floats(0, 1), min_size=1).filter(lambda s: sum(s) > 1e-6))
def test_the_chosen_route_has_a_share(place: float, shares: list[float]) -> None:
    assert shares[choose(place, shares)] > 0


@pytest.mark.medium
def test_shares_hold_over_many_keys() -> None:
    chosen = Counter(choose(position("delay", f"N{n}"), (0.9, 0.0, 0.1)) for n in range(20_000))
    assert chosen[0] == pytest.approx(18_000, rel=0.02)
    assert chosen[1] == 0


@pytest.mark.medium
@given(st.text())
def test_a_canary_that_grows_keeps_the_keys_it_had(key: str) -> None:
    place = position("delay", key)
    if choose(place, (0.05, 0.95)) == 0:
        assert choose(place, (0.25, 0.75)) == 0


def test_no_share_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="zero"):
        choose(0.5, (0.0, 0.0))
