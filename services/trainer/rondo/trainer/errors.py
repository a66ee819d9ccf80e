"""Errors of the data or the spec. Each message names what to publish, or what to change in the spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rondo.contracts.spec.feature_types import unknown_type_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


class TrainingImpossibleError(ValueError):
    """The run can't be trained with this spec and data: it fails with the message, and no attempt is repeated."""

    code: ClassVar[str]


class DatasetMissingError(TrainingImpossibleError):
    """There is nothing to train on."""

    code = "dataset_missing"

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        super().__init__(
            f"there is no dataset {dataset!r}: publish a batch to it, or correct `data.dataset` in the spec"
        )


class SourceUnknownError(TrainingImpossibleError):
    """The spec has features of a dataset of which its event says nothing: an earlier release applied it."""

    code = "source_unknown"

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        super().__init__(
            f"features are taken from {dataset!r}, and the event of the spec does not say when its rows are known: "
            "change the spec and apply it again"
        )


class KnownAtTypeError(TrainingImpossibleError):
    """The column `known_at` of a source is stored as another type than a time: rows had it before it was a time."""

    code = "known_at_type"

    def __init__(self, dataset: str, column: str) -> None:
        self.dataset, self.column = dataset, column
        super().__init__(
            f"the dataset {dataset!r} has the column {column!r} of `known_at` in older rows as something else than a"
            " time, so nothing tells when its rows were known: declare a dataset of another name, publish the rows to"
            " it, and take the features from there"
        )


class ColumnMissingError(TrainingImpossibleError):
    """The data lacks columns that the spec names."""

    code = "column_missing"

    def __init__(self, dataset: str, missing: Sequence[str]) -> None:
        self.missing = list(missing)
        super().__init__(
            f"the dataset {dataset!r} has no column {', '.join(missing)}: publish batches that have it, remove it from"
            " the spec, or mark the feature as optional"
        )


class UnknownFeatureTypeError(TrainingImpossibleError):
    """The spec has a feature whose type is unknown to this release."""

    code = "unknown_feature_type"

    def __init__(self, unknown: Mapping[str, str]) -> None:
        self.unknown = dict(unknown)
        name, word = next(iter(unknown.items()))
        sentence = unknown_type_sentence(f"the feature {name}", word, "the trainer")
        super().__init__(f"{sentence}, then train again")


class InexactIntegerError(TrainingImpossibleError):
    """An `int` feature has values that float32, the type of a model's inputs, can't hold exactly."""

    code = "inexact_integer"

    def __init__(self, dataset: str, features: Sequence[str]) -> None:
        self.features = list(features)
        super().__init__(
            f"the feature {', '.join(features)} of the dataset {dataset!r} has whole numbers beyond 16,777,216 (2^24),"
            " which the float32 inputs of a model can't hold exactly: declare `type: category` for an identifier,"
            " `type: float` for an amount that may be rounded to seven digits, or publish it in a larger unit"
        )


class NotEnoughDataError(TrainingImpossibleError):
    """The labelled rows can't be split into rows to train on and rows to evaluate with."""


class OneClassError(NotEnoughDataError):
    """The training rows or the holdout have one class only."""

    code = "one_class"

    def __init__(self, part: str, rows: int, label: str, found: Sequence[float] | Sequence[str]) -> None:
        self.part, self.rows, self.found = part, rows, list(found)
        super().__init__(
            f"the label {label!r} is {self.found} in the {part} ({rows:,} rows), and two classes are needed: widen"
            " `trainer.window` or `trainer.holdout`, or publish rows of another class"
        )


class LeakError(TrainingImpossibleError):
    """A feature is the label, or the label under other names."""

    code = "leak"

    def __init__(self, feature: str, label: str) -> None:
        self.feature = feature
        super().__init__(
            f"the feature {feature!r} is the label {label!r} itself, or the label by other names: a model would copy"
            f" it, and a request can't have it yet; take {feature!r} out of `features`"
        )


class TooManyClassesError(TrainingImpossibleError):
    """The label has more classes than a model may have."""

    code = "too_many_classes"

    def __init__(self, label: str, found: int, allowed: int) -> None:
        self.found, self.allowed = found, allowed
        super().__init__(
            f"the label {label!r} has {found:,} classes, and a model has at most {allowed}: group the rare ones, or use"
            " `task: regression` if the label is a number"
        )


class NoFinitePredictionError(TrainingImpossibleError):
    """The model gives no finite number for a row of the holdout."""

    code = "no_finite_prediction"

    def __init__(self, kind: str, *, beyond_float32: bool = False) -> None:
        self.beyond_float32 = beyond_float32
        advice = (
            "its labels are near the largest 32-bit float, and a prediction or an end of its interval is beyond it: let"
            " the label be a number in a larger unit"
            if beyond_float32
            else "declare an imputation for features that may be missing (`prepare.impute`), or use a kind that takes"
            " missing values, such as lightgbm"
        )
        super().__init__(
            f"the model of `trainer.kind: {kind}` gives no finite number for a row of the holdout, which serving would"
            f" refuse: {advice}"
        )


class LostModelError(TrainingImpossibleError):
    """The model of a registration is not in the artifact store."""

    code = "lost_model"

    def __init__(self, digest: str) -> None:
        self.digest = digest
        super().__init__(
            f"the model {digest} that was to be registered is not in the artifact store any more, or damaged there:"
            " register it again"
        )


class NoInnerSplitError(TrainingImpossibleError):
    """A search has no usable inner split of the training rows. `problems` has a sentence for each split."""

    code = "no_inner_split"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(
            f"`trainer.search` has no rows to search with ({'; '.join(problems)}): widen `trainer.window`, publish more"
            " rows, or leave out `trainer.search`"
        )


class AllTrialsFailedError(TrainingImpossibleError):
    """No trial of a search has a value. `why` is the error of the last one."""

    code = "all_trials_failed"

    def __init__(self, trials: int, why: str) -> None:
        self.trials, self.why = trials, why
        super().__init__(
            f"all trials of `trainer.search` failed ({trials}, the last one with {why!r}): correct what it names, or"
            " leave out `trainer.search`"
        )


class ClaimLostError(Exception):
    """Another worker has taken the run over, so the work of this one is lost."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"{run_id} was taken over by another worker")


class SharedEventTimeError(NotEnoughDataError):
    """So many rows have the earliest event time that none is left before the holdout."""

    code = "shared_event_time"

    def __init__(self, column: str, time: datetime, rows: int, total: int) -> None:
        self.column, self.time, self.rows, self.total = column, time, rows, total
        super().__init__(
            f"{rows:,} of the {total:,} labelled rows have the same event time, {time:%Y-%m-%d %H:%M:%S}, so none is"
            " left to train on before the holdout, which is the latest rows: check that the column"
            f" {column!r} of `data.event_time` says when each row happened"
        )


class NoTrainingRowsError(NotEnoughDataError):
    """The holdout that the spec asks for has all labelled rows. `key` is the key of the spec that asks for it."""

    code = "no_training_rows"

    def __init__(self, key: str, rows: int) -> None:
        self.key, self.rows = key, rows
        super().__init__(
            f"the holdout of `trainer.{key}` has all of the {rows:,} labelled rows, so none is left to train on: lower"
            f" `trainer.{key}`, or publish more rows"
        )


class OpenMpMissingError(RuntimeError):
    """LightGBM can't be loaded, because the system has no GNU OpenMP."""

    code: ClassVar[str] = "openmp_missing"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"LightGBM can't be loaded ({why}): install GNU OpenMP (Debian, Ubuntu: apt install libgomp1) and start the"
            " trainer again"
        )


class DataDamagedError(TrainingImpossibleError):
    """A file does not match its table's log. Polars raises a panic then, which is no subclass of `Exception`."""

    code = "data_damaged"

    def __init__(self, root: str, why: str) -> None:
        super().__init__(f"a file of the data under {root} is damaged ({why}): restore it from a backup")
