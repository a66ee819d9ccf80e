"""The reference of the features of a training: what needs the rows alone, and no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.trainer.evaluation import reference_blocks, reference_profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from rondo.contracts.spec.model import Feature
    from rondo.contracts.training_evidence import FeatureProfile, Projections, ReferenceBlocks


@dataclass(frozen=True)
class FeatureReference:
    """The features' part of `rondo.contracts.training_evidence.ReferenceProfile`."""

    profile: dict[str, FeatureProfile]
    blocks: ReferenceBlocks
    projections: Projections | None


def of_rows(features: Mapping[str, Feature], rows: pl.DataFrame) -> FeatureReference:
    """Return the reference of rows that are in order of event time."""
    profile = reference_profile.of_features(features, rows)
    return FeatureReference(profile, *reference_blocks.of_features(profile, rows))
