"""The reference profile: what a model's data looked like when it was trained, frozen into its evidence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rondo.contracts.events.base import Value
from rondo.contracts.text import Text


class NumericProfile(Value):
    """Counts in fixed bins: `counts[i]` rows with `edges[i-1] <= x < edges[i]`, open at both ends.

    `counts` is one longer than `edges`; rows without a value are in `missing` alone.
    """

    kind: Literal["numeric"] = "numeric"
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int = 0


class CategoricalProfile(Value):
    """Rows by category; `other` counts the categories beyond the listed ones."""

    kind: Literal["categorical"] = "categorical"
    counts: dict[Text, int]
    other: int = 0
    missing: int = 0


FeatureProfile = Annotated[NumericProfile | CategoricalProfile, Field(discriminator="kind")]


class ReferenceProfile(Value):
    """Profiles of the features and of the score, over `rows` rows; `roc_auc` and `positive_rate` of the holdout."""

    rows: int
    features: dict[Text, FeatureProfile]
    score: NumericProfile
    roc_auc: float
    positive_rate: float
