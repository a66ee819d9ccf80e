"""Features that alone determine the label, as one does that is computed from it."""

from __future__ import annotations

import polars as pl

# With fewer rows a feature may agree with the label by chance.
ENOUGH_ROWS = 50
PROBE_ROWS = 2_000
# A feature decides the class if it leaves so many rows undecided, as a share of those that the commonest class leaves.
_UNDECIDED = 0.01
# A text, or one of few numbers, must have several rows on average. An id has another text in each row, so it proves
# nothing.
_ROWS_PER_VALUE = 10


def known_values(values: pl.Series) -> pl.Series:
    """Return true for values that are neither null nor NaN."""
    known = values.is_not_null()
    return known & values.is_not_nan() if values.dtype.is_float() else known


def determines(values: pl.Series, label: pl.Series) -> bool:
    """Return whether a feature alone determines a numeric label in every row that has it."""
    known = known_values(values)
    values, label = values.filter(known), label.filter(known)
    relation = _is_monotone if values.dtype.is_numeric() else _is_named
    return values.len() >= ENOUGH_ROWS and values.dtype != pl.Boolean and relation(values, label)


def undecided_rows(values: pl.Series, label: pl.Series) -> int | None:
    """Return the number of rows whose class a feature does not decide. None if they are not nearly none.

    A feature of few values decides by the commonest class of each value, and one of many numbers by bounds between the
    classes. Rows without the feature do not count.
    """
    # Most features leave many rows of a sample undecided, and a pass over all rows takes about 20 ms a feature.
    for step in (max(1, values.len() // PROBE_ROWS), 1):
        rows = pl.DataFrame({"value": values.gather_every(step), "label": label.gather_every(step)})
        rows = rows.filter(known_values(rows["value"]))
        others = rows.height - int(rows["label"].unique_counts().max() or 0)  # type: ignore[arg-type]
        wrong = _undecided(rows)
        if wrong > _UNDECIDED * others and (step == 1 or others >= ENOUGH_ROWS):
            return None
    return wrong if others >= ENOUGH_ROWS else None


def _undecided(rows: pl.DataFrame) -> int:
    cells = rows.group_by("value", "label").len().sort("value", "len", "label")
    of_values = cells.group_by("value", maintain_order=True).agg(pl.col("label", "len").last())
    others = rows.height - int(of_values["len"].sum())
    if of_values.height * _ROWS_PER_VALUE <= rows.height:
        return others
    if not rows["value"].dtype.is_numeric():
        return rows.height
    # In order of the value, a row within another class makes two changes more.
    changes = of_values["label"].rle().len() - of_values["label"].n_unique()
    return others + max(0, changes + 1) // 2


def _is_named(texts: pl.Series, label: pl.Series) -> bool:
    """Return whether each text has one label and each label one text, and most texts occur in several rows."""
    for rows in (PROBE_ROWS, texts.len()):
        of, by = label.head(rows), texts.head(rows)
        distinct = by.n_unique()
        if of.n_unique() != distinct or int(pl.DataFrame({"value": by, "label": of}).n_unique()) != distinct:
            return False
    # Two texts may match two numbers by chance. An id has another text in each row, so it proves nothing.
    return 2 < distinct <= texts.len() / 2  # noqa: PLR2004 - as said


def _is_monotone(values: pl.Series, label: pl.Series) -> bool:
    """Return whether the label is a monotone function of a feature of many values, for example its logarithm."""
    for rows in (PROBE_ROWS, values.len()):
        of, by = label.head(rows), values.head(rows)
        if min(of.n_unique(), by.n_unique()) < ENOUGH_ROWS:
            return False
        pairs = pl.DataFrame({"value": by, "label": of})
        if not any(
            pairs.sort("value", "label", descending=[False, falls])["label"].is_sorted(descending=falls)
            for falls in (False, True)
        ):
            return False
    return True
