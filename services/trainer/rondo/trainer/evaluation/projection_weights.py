"""Draws the weights of the projections of a reference (`rondo.chassis.profiles.projections`)."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.training_evidence import NumericProfile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.contracts.training_evidence import FeatureProfile

PROJECTIONS = 8
_DECIMALS = 6


def draw(profiles: Mapping[str, FeatureProfile]) -> dict[str, tuple[float, ...]]:
    """Return the weights of each numeric feature that varies, one for each projection; none for fewer than two.

    The weights of a projection are a random direction. It follows from names and edges of the features alone, so the
    same training has the same evidence.
    """
    edges = {
        name: profile.edges
        for name, profile in profiles.items()
        if isinstance(profile, NumericProfile) and sum(count > 0 for count in profile.counts) > 1
    }
    if len(edges) < 2:  # noqa: PLR2004 - with one, a projection is the feature
        return {}
    content = blake2b(json.dumps(edges).encode(), digest_size=8).digest()
    directions = np.random.default_rng(int.from_bytes(content)).standard_normal((len(edges), PROJECTIONS))
    directions /= np.sqrt((directions**2).sum(axis=0))
    return {name: tuple(row) for name, row in zip(edges, np.round(directions, _DECIMALS).tolist(), strict=True)}
