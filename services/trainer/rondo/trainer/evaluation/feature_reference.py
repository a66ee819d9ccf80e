"""The reference of the features of a training: what needs the rows alone, and no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from rondo.chassis.profiles.row_hashes import repeated_shares, row_hashes
from rondo.contracts.training_evidence import RepeatedRows
from rondo.trainer.evaluation import reference_blocks, reference_profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from rondo.contracts.spec.model import Feature
    from rondo.contracts.training_evidence import FeatureProfile, Projections, ReferenceBlocks


# A block is a power of two of rows, so a share is an exact number.
FEWEST_ROWS, MOST_ROWS = 16, 1_024
FEWEST_BLOCKS, ENOUGH_BLOCKS, MOST_BLOCKS = 20, 64, 512


@dataclass(frozen=True)
class FeatureReference:
    """The features' part of `rondo.contracts.training_evidence.ReferenceProfile`."""

    profile: dict[str, FeatureProfile]
    blocks: ReferenceBlocks
    projections: Projections | None
    repeated_rows: RepeatedRows | None = None


def of_rows(features: Mapping[str, Feature], rows: pl.DataFrame) -> FeatureReference:
    """Return the reference of rows that are in order of event time."""
    profile = reference_profile.of_features(features, rows)
    repeated = _repeated_rows(features, rows)
    return FeatureReference(profile, *reference_blocks.of_features(profile, rows), repeated)


def _repeated_rows(features: Mapping[str, Feature], rows: pl.DataFrame) -> RepeatedRows | None:
    """Return the shares of rows in order of event time that repeat the features of an earlier one; None of too few.

    Rows with few categories repeat by nature, and the more the more rows there are: so the shares are of blocks of as
    many rows as those of the monitor.
    """
    block = MOST_ROWS
    while block > FEWEST_ROWS and block * ENOUGH_BLOCKS > rows.height:
        block //= 2
    if rows.height < block * FEWEST_BLOCKS or not features:
        return None
    newest = rows.tail(rows.height // block * block).tail(block * MOST_BLOCKS)
    hashes = row_hashes(_values(features[name], newest[name]) for name in sorted(features))
    return RepeatedRows(rows=block, shares=tuple(repeated_shares(hashes, block).tolist()))


def _values(feature: Feature, column: pl.Series) -> pa.Array:
    if feature.type == "category":
        return column.cast(pl.String).to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
    return column.cast(pl.Float32).to_arrow()
