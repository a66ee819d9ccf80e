"""The evidence of a candidate: a JSON document in the artifact store, named by its digest in `ModelTrained`.

The trainer writes it, the registry evaluates the gates with it, the monitor takes the reference profile from it.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Discriminator, Tag
from pydantic.json_schema import SkipJsonSchema

from rondo.contracts.events.base import Value
from rondo.contracts.events.training import (
    AnswerRule,
    FeatureImportance,
    Parameters,
    TrainingInputs,
    TrainingNote,
    TrainingSummary,
)
from rondo.contracts.spec.policy import Value as ParameterValue
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.text import Message, Text
from rondo.contracts.vocabularies import EndedTrialState, ParameterOrigin, ProfileKind, known, open_to


class SliceMetrics(Value):
    """Metrics of the rows where `column` has `value`, without metrics that are not defined on them."""

    column: Text
    value: Text
    rows: int
    metrics: dict[Text, float]


class Evaluation(Value):
    """The metrics of one model on the holdout."""

    metrics: dict[Text, float]
    slices: tuple[SliceMetrics, ...] = ()


class Comparison(Value):
    """The distance by which the candidate is worse than the champion by one metric on the same rows.

    It is negative if the candidate is better. `low` and `high` are bounds of a paired bootstrap, each exceeded with
    probability `1 - confidence`.
    """

    metric: Text
    loss: float
    low: float
    high: float
    confidence: float
    resamples: int


class Parity(Value):
    """The largest difference between the outputs of the ONNX graph and those of its source model.

    A difference of probabilities is absolute. A difference of values is divided by the model's value, or by the usual
    size of the values if that is larger.

    `native` says what the outputs of the graph were compared with. True: predictions by the library that fitted the
    source model, the newly fitted member of an ensemble, or a function that returns its own predictions beside its
    graph. In the last case `rows` are the ordinary rows that it predicted. False: the ONNX graph of a registered file,
    or of a function. Then only the nodes that were built around it can differ. None: evidence of an earlier release.
    """

    rows: int
    max_difference: float
    native: bool | None = None

    @property
    def native_difference(self) -> float | None:
        """The largest difference from a native model. None if the model is not native."""
        return None if self.native is False else self.max_difference


class NumericProfile(Value):
    """Counts in fixed bins: `counts[i]` rows have `edges[i-1] <= x < edges[i]`. The first and last bins are unbounded.

    `counts` has one item more than `edges`. Rows without a value count in `missing` only.
    """

    kind: Annotated[Literal["numeric"], open_to(ProfileKind)] = "numeric"
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int = 0


class CategoricalProfile(Value):
    """Rows by category. `other` counts the rows of categories that are not listed."""

    kind: Annotated[Literal["categorical"], open_to(ProfileKind)] = "categorical"
    counts: dict[Text, int]
    other: int = 0
    missing: int = 0


class UnknownProfile(Value):
    """A profile of a kind from a later release. Its column is not compared. Its fields are kept."""

    model_config = ConfigDict(extra="allow")

    kind: Annotated[Text, open_to(ProfileKind)]


def _kind(profile: Any) -> str:
    kind = profile.get("kind") if isinstance(profile, dict) else getattr(profile, "kind", None)
    return kind if kind in known(ProfileKind) else "unknown"


# The schema describes the profiles that this release writes, so it omits the unknown profile.
FeatureProfile = Annotated[
    Annotated[NumericProfile, Tag("numeric")]
    | Annotated[CategoricalProfile, Tag("categorical")]
    | Annotated[SkipJsonSchema[UnknownProfile], Tag("unknown")],
    Discriminator(_kind),
]


class PerformanceFigure(Value):
    """A metric of the holdout as the monitor's sketch computes it, and its standard error if there is one."""

    value: float
    error: float | None = None


class ColumnBlocks(Value):
    """The variation of a column within the reference: `means` has the mean of each stretch, in order, by component.

    A component is a bounded figure of a row, such as `level`. It is a function of the row's bin in the column's
    profile. For `unseen` and `out_of_range` a stretch is compared with the list, or the range, of all other rows.
    `autocorrelation_rows` is the autocorrelation time in rows, at least 1, estimated from rows within a stretch.
    """

    autocorrelation_rows: float
    means: dict[Text, tuple[float, ...]]


class ReferenceBlocks(Value):
    """Consecutive rows of the reference, in order of event time, in stretches of `rows` rows each.

    The oldest rows are left out if they do not fill a stretch. `columns` are named as in the profile: features or
    outputs.
    """

    rows: int
    columns: dict[Text, ColumnBlocks]


class Projections(Value):
    """Weighted sums of the numeric features of a row, which show a change in the dependence between features.

    `weights` has each feature's weight in every projection. The value of a row is the sum over the features of weight
    times level, with each product rounded to a multiple of 2^-12. The level is that of the row's bin, as in
    `ColumnBlocks`. A missing value has the level 0, which is the mean. `profiles` and `blocks` describe these values
    over the reference, by the names of the projections in their order. The stretches are those of the features.
    """

    weights: dict[Text, tuple[float, ...]]
    profiles: dict[Text, FeatureProfile]
    blocks: dict[Text, ColumnBlocks]


class LossReference(Value):
    """The losses of the evaluated model on the holdout, as means of consecutive stretches with `rows` rows each.

    A loss is between 0 and 1, see `tasks.base.Task.losses`. `largest` is the error that counts as 1, for tasks without
    bounded losses. `uncovered` are the shares of outcomes outside of the interval, for models with intervals. `bias`
    are the means of `tasks.base.Task.bias`. `autocorrelation_rows` is defined as in `ColumnBlocks`, and is the largest
    of these figures. Evidence of earlier releases has no bias.
    """

    rows: int
    autocorrelation_rows: float
    means: tuple[float, ...]
    largest: float | None = None
    uncovered: tuple[float, ...] | None = None
    bias: tuple[float, ...] | None = None


class RepeatedRows(Value):
    """The rows of the reference that repeat the features of an earlier row, in order of event time.

    The newest rows are divided into consecutive blocks of `rows` rows each. `shares` has the share of rows of each
    block that have the features of an earlier row of the block.
    """

    rows: int
    shares: tuple[float, ...]


class BinnedFigure(Value):
    """The mean and the variance of a figure of single rows in each bin. Both are 0 in bins without rows."""

    means: tuple[float, ...]
    variances: tuple[float, ...]


class Calibration(Value):
    """Figures of the holdout by bin of the prediction, from which the performance without outcomes is estimated.

    The bins are those of the profile of `output`, without missing values. `rows` has the number of rows in each bin.
    `figures` are the loss and the figures of `tasks.base.Task.row_figures`.
    """

    output: Text
    rows: tuple[int, ...]
    figures: dict[Text, BinnedFigure]


class SliceReference(Value):
    """The rows of the holdout where the feature `column` has a value: their number and figures.

    `value` is the text of the value. A number is written as its shortest decimal, and a missing value as the empty
    text. `performance` has the figures of `tasks.base.Task.group_sketch`. `loss` is the loss of these rows alone, on
    the scale of the whole holdout, so it has no `largest`, `uncovered` and `bias`. Evidence of earlier releases has no
    `loss`.
    """

    column: Text
    value: Text
    rows: int
    performance: dict[Text, PerformanceFigure]
    loss: LossReference | None = None


class Importance(Value):
    """The importance of the features, the most important first, on `rows` rows of the holdout with the mean `loss`.

    The loss is that of `tasks.base.Task.losses` for the evaluated model, which has not seen these rows. With
    `trainer.refit` another fit serves. A feature is absent if it could not be permuted.
    """

    rows: int
    loss: float
    features: tuple[FeatureImportance, ...]

    def of(self, feature: str) -> FeatureImportance | None:
        """Return the importance of a feature. None if it is not known."""
        return next((each for each in self.features if each.feature == feature), None)


class ReferenceProfile(Value):
    """The reference of the monitor: profiles of the features over `rows` rows, and of the outputs on the holdout.

    `outputs` are named as in answers. `task` is that of the model, and `performance` that of the holdout. `seconds` is
    the event time from the first to the last of the rows. `projections` need at least two numeric features. `slices`
    are those of the spec that have enough rows. Without `feature_blocks`, `output_blocks` and `loss`, which evidence of
    earlier releases lacks, the monitor decides nothing. Without a `calibration` it estimates nothing. `importance` is
    the importance of each feature, if it is known. `repeated_rows` needs a few hundred rows.
    """

    rows: int
    seconds: float = 0.0
    features: dict[Text, FeatureProfile]
    outputs: dict[Text, FeatureProfile]
    task: FittedTask
    performance: dict[Text, PerformanceFigure]
    feature_blocks: ReferenceBlocks | None = None
    projections: Projections | None = None
    output_blocks: ReferenceBlocks | None = None
    loss: LossReference | None = None
    calibration: Calibration | None = None
    slices: tuple[SliceReference, ...] = ()
    importance: Importance | None = None
    repeated_rows: RepeatedRows | None = None


_MOST_IMPORTANT = 20


class PairedHoldout(Value):
    """The differences between the losses of candidate and champion on the same rows of the holdout.

    A rollout is judged by them. A loss is between 0 and 1, see `tasks.base.Task.losses`. `blocks` counts the blocks
    with rows, each `block_seconds` of event time long. If the holdout has enough rows, they are so long that they are
    about independent. `variance` is the variance of the blocks' mean differences, and `bound` is six standard
    deviations. `difference` is the mean over the rows, candidate minus champion. `margin` is a tenth of the champion's
    skill, which is the loss of a constant prediction minus the champion's loss. `disagreement` is the mean absolute
    difference of the predictions, if they are numbers from 0 to 1. `loss_variance` is that of the champion's losses by
    row.
    """

    rows: int
    block_seconds: float
    blocks: int
    variance: float
    bound: float
    difference: float
    margin: float
    disagreement: float | None = None
    loss_variance: float | None = None


class SearchTrial(Value):
    """A trial of a search that ended: `complete`, `pruned` after some of the inner splits, or `failed`.

    `detail` says why it failed. `values` has the metric of each split that was fitted, None if it is not defined, and
    `value` is their mean.
    """

    number: int
    origin: Annotated[Text, open_to(ParameterOrigin)]
    params: dict[Text, ParameterValue]
    state: Annotated[Text, open_to(EndedTrialState)]
    values: tuple[float | None, ...] = ()
    value: float | None = None
    seconds: float
    detail: Message = ""


class Evidence(TrainingInputs):
    """Everything about a candidate that gates, audits and repetitions of its training need.

    `champion_version` served at the time. `champion` is None if that version could not be scored.
    `champion_not_comparable` then says why, unless its artifact was lost. `trials` are those of the search, by their
    number.
    """

    version: ClassVar[int] = 1

    candidate: Evaluation
    champion: Evaluation | None = None
    champion_version: int | None = None
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[TrainingNote, ...] = ()
    profile: ReferenceProfile
    parity: Parity
    parameters: Parameters | None = None
    champion_not_comparable: Text | None = None
    paired: PairedHoldout | None = None
    trials: tuple[SearchTrial, ...] = ()

    def encode(self) -> bytes:
        """Return the stored form of the document."""
        return self.model_dump_json().encode()

    def summary(self) -> TrainingSummary:
        """Return the part of the evidence that the event has."""
        return TrainingSummary(
            **{name: getattr(self, name) for name in TrainingInputs.model_fields},
            task=self.profile.task.task,
            metrics=self.candidate.metrics,
            champion_metrics=self.champion.metrics if self.champion else None,
            champion_version=self.champion_version,
            notes=self.notes,
            parameters=self.parameters,
            importance=self.profile.importance.features[:_MOST_IMPORTANT] if self.profile.importance else (),
            answer_rule=_answer_rule(self.profile.task),
        )


def _answer_rule(task: FittedTask) -> AnswerRule | None:
    if task.threshold is None and task.interval is None:
        return None
    interval = {} if task.interval is None else task.interval.model_dump()
    return AnswerRule(threshold=task.threshold, rows=task.chosen_on, **interval)
