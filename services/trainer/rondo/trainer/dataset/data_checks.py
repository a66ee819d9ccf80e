"""Checks of the rows that a model is fitted to: notes for the author of the spec, and leaks, which end the training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rondo.contracts.events.training import TrainingNote
from rondo.contracts.figures import figure
from rondo.contracts.spec.data import LARGEST_EXACT_INT
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.tasks.regression import least_rows
from rondo.contracts.vocabularies import NoteCode
from rondo.trainer.dataset.determined_labels import ENOUGH_ROWS, PROBE_ROWS, determines, known_values, undecided_rows
from rondo.trainer.dataset.split import calibration
from rondo.trainer.errors import LeakError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.dataset.split import Split
    from rondo.trainer.dataset.training_set import RowsLeftOut, TrainingSet

# A note names each class with a smaller share of the rows.
RARE = 0.01
# Metrics that do not depend on the share of a class. Each task of classes has at least one of them.
_OF_RARE = ("average_precision", "balanced_accuracy", "f1_macro")
# With this share of rows that equal an earlier one in label and all features, the rows are hardly independent.
REPEATED = 0.5
# With this share of rows of the holdout that equal an earlier row, the metrics show too little of new rows.
REPEATED_HOLDOUT = 0.1
# The correlation of a feature that differs from a multiple of the label only by rounding of doubles, and the least
# correlation with which a feature is compared row by row: float32 rounds by more, for example values near a million
# that differ by less than one.
_COPY, _NEARLY = 1 - 1e-9, 0.99
_RECENT_ROWS = 20_000
# Larger numbers are shown by their power of ten.
_MOST_DIGITS = 1e15
# A label may be called `count`. None has a dot in its name.
_ROWS = "class.rows"


def refuse_leak(spec: ModelSpec, rows: pl.DataFrame) -> None:
    """Refuse training rows in which a feature is the label, or the label under other names.

    Rows in which the feature is missing do not count.

    Raises:
        LeakError: a feature has one value per class, or a number is a linear function of the label.

    """
    label = rows[spec.data.label]
    of_classes = task_named(spec.task).target != "number"
    copies, classes = _is_renamed_copy if of_classes else _is_multiple, label.n_unique()
    for name in spec.features:
        known = known_values(rows[name])
        values = rows[name].filter(known)
        # The first rows of most features already show that they have more values than there are classes.
        if of_classes and values.head(PROBE_ROWS).n_unique() > classes:
            continue
        if values.len() >= ENOUGH_ROWS and copies(values, label.filter(known)):
            raise LeakError(name, spec.data.label)


def notes(spec: ModelSpec, parts: Split) -> Iterator[TrainingNote]:
    """Yield notes on the rows of a training. A model is fitted all the same."""
    training, holdout, label = parts.training, parts.holdout, spec.data.label
    for name, feature in spec.features.items():
        yield from _same_everywhere(training[name])
        if feature.type == "category":
            yield from _unseen(training[name], holdout[name])
    if task_named(spec.task).target != "number":
        yield from _rare_class(spec, training[label], "training")
        yield from _unknown_class(training[label], holdout[label])
        for name in spec.features:
            yield from _decides(training[name], training[label])
    else:
        yield from _same_label(training[label], "training", "the model answers with that alone")
        yield from _rounded(pl.concat([training[label], holdout[label]]))
        for name in spec.features:
            yield from _determines(training[name], training[label])
    yield from _repeated_rows(spec, training, "training")
    yield from _repeated_holdout(spec, parts)


def notes_beside_a_model(spec: ModelSpec, rows: pl.DataFrame, parts: Split) -> Iterator[TrainingNote]:
    """Yield notes on the labelled rows that evaluate a model that was made elsewhere. `parts` are all `rows`."""
    labels = rows[spec.data.label]
    if task_named(spec.task).target != "number":
        yield from _rare_class(spec, labels, "labelled")
    else:
        yield from _same_label(labels, "labelled", "they show nothing of what the model answers for another")
        yield from _rounded(labels)
    yield from _repeated_rows(spec, rows, "labelled")
    yield from _repeated_holdout(spec, parts)


def calibration_notes(spec: ModelSpec, holdout: pl.DataFrame) -> Iterator[TrainingNote]:
    """Yield notes on the rows of the holdout that an interval's width or a threshold is chosen on."""
    chosen = spec.prediction.chosen
    if chosen is None:
        return
    choosing, evaluating = calibration(spec, holdout)
    coverage, rows = spec.prediction.interval, choosing.height
    if coverage is not None and rows < (needed := least_rows(coverage)):
        message = (
            f"the width of the interval is chosen on {rows:,} rows, and `prediction.interval: {coverage:g}` needs"
            f" {needed:,}: it is their largest error, beyond which one of {rows + 1:,} outcomes is to be expected;"
            " widen the holdout, or ask for a smaller share"
        )
        yield TrainingNote(code=NoteCode.FEW_INTERVAL_ROWS, message=message)
    if choosing is evaluating:
        message = (
            f"the holdout ({rows:,} rows) can't be divided by event time, so the rows on which `prediction.{chosen}` is"
            " chosen evaluate the model, too, which makes it look better than it is; widen the holdout"
        )
        yield TrainingNote(code=NoteCode.UNDIVIDED_HOLDOUT, message=message)


def left_out_notes(spec: ModelSpec, training_set: TrainingSet) -> Iterator[TrainingNote]:
    """Yield notes on published rows that are not used, because they lack a required feature or are out of limits."""
    remaining = training_set.rows.height
    if training_set.left_out is not None:
        yield _left_out_note(
            NoteCode.ROWS_WITHOUT_FEATURE,
            training_set.left_out,
            described_left_out(spec, training_set.left_out, remaining),
        )
    if training_set.outside is not None:
        yield _left_out_note(
            NoteCode.ROWS_OUTSIDE_LIMITS, training_set.outside, described_outside(spec, training_set.outside, remaining)
        )


def _left_out_note(code: NoteCode, rows: RowsLeftOut, message: str) -> TrainingNote:
    names = list(rows.by_feature)
    return TrainingNote(code=code, feature=names[0] if len(names) == 1 else None, message=message)


def described_outside(spec: ModelSpec, outside: RowsLeftOut, remaining: int) -> str:
    """Return a sentence with the number of rows whose values the spec excludes, and what to do about it."""
    features = ", ".join(repr(name) for name in outside.by_feature)
    return (
        f"{outside.rows:,} published rows of {spec.data.dataset} have values of {features} that the spec does not"
        f" allow, as requests with them are refused, and are left out: {remaining:,} rows remain. If the model is to"
        " see such values, widen `min`, `max` or `values` in the spec"
    )


def _named(spec: ModelSpec, name: str) -> str:
    source = spec.features[name].source
    return repr(name) if source is None else f"{name!r} from {source}"


def described_left_out(spec: ModelSpec, left_out: RowsLeftOut, remaining: int) -> str:
    """Return a sentence with the number of rows that lack a required feature, and what to do about it."""
    dataset, names = spec.data.dataset, list(left_out.by_feature)
    features, it = ", ".join(_named(spec, name) for name in names), "it" if len(names) == 1 else "them"
    joined = [name for name in names if not spec.features[name].is_sent]
    if len(joined) == len(names):
        return (
            f"{left_out.rows:,} published rows of {dataset} have no {features} that was known at their event time and"
            f" are left out: {remaining:,} rows remain. Publish earlier values, raise `max_age`, or make {it}"
            " `optional` in the spec"
        )
    sent = it if not joined else ", ".join(repr(name) for name in names if name not in joined)
    # The files of the dataset have no joined feature, so another publication of them would not help it.
    earlier = f", publish earlier values of {', '.join(map(repr, joined))} or raise `max_age`" if joined else ""
    return (
        f"{left_out.rows:,} published rows of {dataset} have no {features} and are left out:"
        f" {remaining:,} rows remain. If the files have {sent}, publish each again under a new id"
        f" (`rondo publish {dataset} FILE --batch-id NEW`){earlier}, or make {it} `optional` in the spec"
    )


def _same_everywhere(values: pl.Series) -> Iterator[TrainingNote]:
    known = known_values(values)
    if not known.any():
        message = f"the feature {values.name!r} has no value in any training row: it decides nothing"
        yield TrainingNote(code=NoteCode.NO_VALUES, feature=values.name, message=message)
    elif known.all() and values.head(PROBE_ROWS).n_unique() == 1 and values.n_unique() == 1:
        message = f"the feature {values.name!r} is {values[0]} in all training rows: it decides nothing"
        yield TrainingNote(code=NoteCode.CONSTANT, feature=values.name, message=message)


def _repeated_rows(spec: ModelSpec, rows: pl.DataFrame, kind: str) -> Iterator[TrainingNote]:
    if (repeated := _repeated(rows.select(*spec.features, spec.data.label))) is not None:
        message = (
            f"{repeated:.0%} of the {kind} rows equal an earlier one in label and all features: if they are copies,"
            " the metrics are surer than they should be"
        )
        yield TrainingNote(code=NoteCode.REPEATED_ROWS, message=message)


def _repeated(rows: pl.DataFrame) -> float | None:
    """Return the share of rows that equal an earlier one, if it is above `REPEATED`."""
    first = rows.head(PROBE_ROWS)
    widest = max(rows.columns, key=lambda name: first[name].n_unique())
    # Rows that differ in one column are distinct, and this check is quick for a column of numbers.
    if 1 - rows[widest].n_unique() / rows.height <= REPEATED:
        return None
    repeated = 1 - rows.hash_rows().n_unique() / rows.height
    return repeated if repeated > REPEATED else None


def _repeated_holdout(spec: ModelSpec, parts: Split) -> Iterator[TrainingNote]:
    names = [*spec.features, spec.data.label]
    earlier, holdout = parts.training.select(names), parts.holdout.select(names)
    least = REPEATED_HOLDOUT * holdout.height
    first = holdout.head(PROBE_ROWS)
    widest = max(names, key=lambda name: first[name].n_unique())
    # A row with a new value in one column equals no earlier row, and this check is quick for a column of numbers.
    if holdout[widest].is_in(earlier[widest].implode(), nulls_equal=True).sum() < least:
        return
    repeated = int(holdout.hash_rows().is_in(earlier.hash_rows().implode()).sum())
    if repeated >= least:
        message = (
            f"{repeated:,} of {holdout.height:,} rows of the holdout ({repeated / holdout.height:.0%}) equal an earlier"
            " row in label and all features: if they are copies, a model that has learned them by heart looks better"
            " than it is on new rows"
        )
        yield TrainingNote(code=NoteCode.REPEATED_HOLDOUT, message=message)


def _unseen(training: pl.Series, holdout: pl.Series) -> Iterator[TrainingNote]:
    found = holdout.filter(holdout.is_not_null()).unique()
    # The latest training rows have most values of the holdout. The other rows are searched only for the remaining ones.
    for part in (training.tail(_RECENT_ROWS), training):
        if not found.len():
            return
        found = found.filter(~found.is_in(part.drop_nulls().unique().implode()))
    unseen = holdout.filter(holdout.is_in(found.implode()))
    if unseen.len():
        message = (
            f"{unseen.len():,} of {holdout.len():,} rows of the holdout have a {training.name!r} that the training rows"
            f" lack, such as {unseen[0]!r}: the other features decide them"
        )
        yield TrainingNote(code=NoteCode.UNSEEN_CATEGORY, feature=training.name, message=message)


def _rare_class(spec: ModelSpec, labels: pl.Series, kind: str) -> Iterator[TrainingNote]:
    rare = labels.value_counts(sort=True, name=_ROWS).filter(pl.col(_ROWS) < RARE * labels.len())
    if rare.height:
        fair = " or ".join(name for name in _OF_RARE if name in task_named(spec.task).metrics)
        value, rows = rare.row(-1)
        others = f", and {rare.height - 1} more are rare" if rare.height > 1 else ""
        message = (
            f"{rows / labels.len():.2%} of the {kind} rows ({rows:,}) have the label {_shown(value)}{others}: judge"
            f" the model by metrics that weigh classes, such as {fair}"
        )
        yield TrainingNote(code=NoteCode.RARE_CLASS, message=message)


def _unknown_class(training: pl.Series, holdout: pl.Series) -> Iterator[TrainingNote]:
    unknown = holdout.filter(~holdout.is_in(training.unique().implode()))
    if unknown.len():
        message = (
            f"{unknown.len():,} of {holdout.len():,} rows of the holdout have a label that the training rows lack, such"
            f" as {_shown(unknown[0])}: they count as wrong"
        )
        yield TrainingNote(code=NoteCode.UNKNOWN_CLASS, message=message)


def _same_label(labels: pl.Series, kind: str, consequence: str) -> Iterator[TrainingNote]:
    value, rows = labels.value_counts(sort=True, name=_ROWS).row(0)
    if rows == labels.len():
        message = f"the label {labels.name!r} is {figure(value)} in all {kind} rows: {consequence}"
    elif rows > (1 - RARE) * labels.len():
        message = (
            f"{rows / labels.len():.2%} of the {kind} rows have the label {figure(value)}: a model that answers with"
            " that alone has a small error, so judge by r2 as well"
        )
    else:
        return
    yield TrainingNote(code=NoteCode.SAME_LABEL, message=message)


def _rounded(labels: pl.Series) -> Iterator[TrainingNote]:
    values = labels.to_numpy().astype(np.float64)
    largest, error = np.abs(values).max(), np.abs(values - values.astype(np.float32)).max()
    if largest > LARGEST_EXACT_INT and error > 0:
        shown = f"{largest:,.0f}" if largest < _MOST_DIGITS else f"{largest:.3g}"
        message = (
            f"the label {labels.name!r} has values up to {shown}, which float32 rounds by up to {error:.3g}; their"
            f" standard deviation is {values.std():.4g}. Where that matters, let the label be the difference from a"
            " usual value, or a number in a larger unit"
        )
        yield TrainingNote(code=NoteCode.ROUNDED_LABELS, message=message)


def _shown(label: object) -> str:
    return figure(label) if isinstance(label, float) else repr(label)


def _is_renamed_copy(values: pl.Series, label: pl.Series) -> bool:
    """Return whether each value has one class and each class one value, and there are two at least."""
    classes = label.n_unique()
    # A feature that is constant, or is known only for rows of one class, is no copy.
    if classes == 1 or values.head(PROBE_ROWS).n_unique() > classes or values.n_unique() != classes:
        return False
    return int(pl.DataFrame({"value": values, "label": label}).n_unique()) == classes


def _determines(values: pl.Series, label: pl.Series) -> Iterator[TrainingNote]:
    """Yield a note on a feature that alone determines a numeric label: it may be computed from it, or follow a law."""
    if determines(values, label):
        yield _determines_note(values.name, label.name, 0)


def _decides(values: pl.Series, label: pl.Series) -> Iterator[TrainingNote]:
    """Yield a note on a feature that alone decides the class: it may be computed from the label, or follow a law."""
    wrong = undecided_rows(values, label)
    if wrong is not None:
        yield _determines_note(values.name, label.name, wrong)


def _determines_note(feature: str, label: str, wrong: int) -> TrainingNote:
    determined = "by itself in every row" if not wrong else f"by itself in all rows but {wrong:,}"
    message = (
        f"the feature {feature!r} gives the label {label!r} {determined}: make sure that a request has it before the"
        " label is known, else take it out of `features`"
    )
    return TrainingNote(code=NoteCode.DETERMINES_LABEL, feature=feature, message=message)


def _is_multiple(values: pl.Series, label: pl.Series) -> bool:
    """Return whether a number, or the text of one, is a linear function of the label."""
    if values.dtype.is_numeric():
        return _is_linear_copy(values, label)
    texts = values.cast(pl.String)
    if values.dtype == pl.Boolean or texts.head(PROBE_ROWS).cast(pl.Float64, strict=False).null_count():
        return False
    numbers = texts.cast(pl.Float64, strict=False)
    known = numbers.is_not_null()
    return bool(known.any()) and _is_linear_copy(numbers.filter(known), label.filter(known))


def _is_linear_copy(values: pl.Series, label: pl.Series) -> bool:
    x, y = values.to_numpy().astype(np.float64), label.to_numpy().astype(np.float64)
    if not np.isfinite(x).all() or np.ptp(x) == 0 or np.ptp(y) == 0:
        return False
    # Two distinct values always lie on a line.
    if values.head(PROBE_ROWS).n_unique() <= 2:  # noqa: PLR2004 - as said
        return False
    correlation = abs(float(np.corrcoef(x, y)[0, 1]))
    return correlation > _COPY or (correlation > _NEARLY and _is_rounded_line(x, y))


def _is_rounded_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Return whether each `x` is the float32 nearest to a linear function of `y`, or a neighbour of that float32."""
    centred = y - y.mean()
    slope = (centred @ (x - x.mean())) / (centred @ centred)
    errors = np.abs(x - x.mean() - slope * centred)
    return bool((errors <= np.spacing(np.abs(x).astype(np.float32)).astype(np.float64)).all())
