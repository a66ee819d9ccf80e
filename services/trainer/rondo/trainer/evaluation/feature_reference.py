"""The reference of the features of a training. It needs the rows, and no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.chassis.profiles.row_hashes import repeated_shares, row_hashes
from rondo.contracts.training_evidence import RepeatedRows
from rondo.trainer.evaluation import reference_blocks, reference_profile
from rondo.trainer.evaluation.reference_profile import feature_column

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    import pyarrow as pa

    from rondo.contracts.spec.model import Feature
    from rondo.contracts.training_evidence import FeatureProfile, Projections, ReferenceBlocks


# The number of rows of a block is a power of two, so a share is an exact binary number.
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
    columns = {
        name: feature_column(rows[name], is_category=feature.type == "category") for name, feature in features.items()
    }
    profile = {name: reference_profile.of_column(values) for name, values in columns.items()}
    blocks = reference_blocks.of_columns(profile, columns.items(), rows.height)
    return FeatureReference(profile, *blocks, _repeated_rows(columns, rows.height))


def _repeated_rows(columns: Mapping[str, pa.Array], rows: int) -> RepeatedRows | None:
    """Return the shares of rows in order of event time that repeat the features of an earlier row of their block.

    None if there are too few rows. Rows with few categories repeat by chance, and more often among more rows. So the
    shares are those of blocks, and the monitor uses blocks of the same size.
    """
    block = MOST_ROWS
    while block > FEWEST_ROWS and block * ENOUGH_BLOCKS > rows:
        block //= 2
    if rows < block * FEWEST_BLOCKS or not columns:
        return None
    newest = rows - min(rows // block, MOST_BLOCKS) * block
    hashes = row_hashes(columns[name].slice(newest) for name in sorted(columns))
    return RepeatedRows(rows=block, shares=tuple(repeated_shares(hashes, block).tolist()))
