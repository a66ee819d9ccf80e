"""Makes a candidate of a model that was made elsewhere, as `pipeline` does by a fit."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.contracts.events.training import TrainingNote
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.times import FIRST, LAST, to_utc
from rondo.contracts.vocabularies import NoteCode
from rondo.trainer.dataset import data_checks
from rondo.trainer.dataset.split import is_comparable, split
from rondo.trainer.errors import TrainingImpossibleError
from rondo.trainer.evaluation import feature_reference
from rondo.trainer.evaluation.candidate import FittedCandidate
from rondo.trainer.evaluation.holdout import coverage_notes, score_holdout
from rondo.trainer.evaluation.importance import permutation_importance
from rondo.trainer.external_models.errors import RunFailedError, UnmatchedClassesError, listed
from rondo.trainer.external_models.feature_model import ExternalFeatureModel
from rondo.trainer.external_models.model import read_model
from rondo.trainer.external_models.notes import external_notes
from rondo.trainer.external_models.outputs import check_rows_alone
from rondo.trainer.onnx_graph import builder, parity
from rondo.trainer.onnx_graph.background_values import background
from rondo.trainer.preparation import inputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.tasks.base import FittedTask
    from rondo.contracts.training_evidence import Parity
    from rondo.trainer.dataset.training_set import TrainingSet
    from rondo.trainer.evaluation.importance import Predict
    from rondo.trainer.external_models.model import ExternalModel, RunGraph
    from rondo.trainer.preparation.inputs import Inputs

# The number of rows that are run to identify the outputs of a graph.
_SAMPLE_ROWS = 3


class UnpredictableRowsError(TrainingImpossibleError):
    """The model gives no finite number for rows of the holdout."""

    code = "unpredictable_rows"

    def __init__(self, rows: int, total: int) -> None:
        self.rows, self.total = rows, total
        super().__init__(
            f"the model gives no finite number for {rows:,} of the {total:,} labelled rows that it is evaluated on,"
            " which serving would answer with an error: let it take missing values (NaN, and the empty text), such as"
            " with an imputer before the estimator"
        )


class NoLaterRowsError(TrainingImpossibleError):
    """The model was fitted to all labelled rows."""

    code = "no_later_rows"

    def __init__(self, until: datetime, newest: datetime) -> None:
        self.until, self.newest = until, newest
        super().__init__(
            f"the model was fitted to rows up to {until:%Y-%m-%d %H:%M:%S}, and the newest labelled row is of"
            f" {newest:%Y-%m-%d %H:%M:%S}, so there are no rows to evaluate it on: register it once newer rows are"
            " labelled, or fit it to earlier ones"
        )


class UnreadableTimeError(TrainingImpossibleError):
    """The time in the metadata until which the model was fitted can't be parsed."""

    code = "unreadable_time"

    def __init__(self, written: str) -> None:
        self.written = written
        super().__init__(
            f"the metadata `{builder.TRAINED_UNTIL}` of the model is {written!r}: write a time between the years"
            f" {FIRST.year} and {LAST.year} with an offset, such as 2013-03-01T12:00:00Z"
        )


def candidate_of(spec: ModelSpec, training_set: TrainingSet, content: bytes, run: RunGraph) -> FittedCandidate:
    """Make a candidate of an ONNX model that was made elsewhere.

    It is scored on the same holdout as a training with this spec and these rows. If its metadata has the newest event
    time of the rows that it was fitted to (`rondo.trained_until`), only later rows of the holdout count.

    Raises:
        ExternalModelError: the model can't be served for this spec.
        NotEnoughDataError: the rows have one class only, or one event time.
        LeakError: a feature is the label.
        MissingColumnsError: a feature is no column of the rows.
        UnreadableTimeError: `rondo.trained_until` is no time between the years 1700 and 2300.
        NoLaterRowsError: no row is later than the rows that the model was fitted to.
        UnpredictableRowsError: the model gives no finite number for a row of the holdout.
        ParityError: the predictions of the graph that would serve differ from those of the given model.

    """
    inputs.check_columns(spec.features, training_set.rows)
    rows, time = training_set.rows, spec.data.event_time
    parts = split(spec, rows)
    data_checks.refuse_leak(spec, parts.training)
    model = read_model(
        content,
        spec.features,
        task_named(spec.task).target,
        _classes(spec),
        inputs.onnx_inputs(spec.features, rows.tail(_SAMPLE_ROWS)),
        run,
    )
    registered = ExternalFeatureModel(spec.features, model)
    until = _trained_until(model)
    later = _later(spec, parts.holdout, until)
    _check_classes(spec, model, rows)
    predict = partial(_finite_predictions, spec, registered)
    holdout, scored = score_holdout(spec, model.classes, later, predict)
    known_time = {} if until is None else {builder.TRAINED_UNTIL: until.isoformat()}
    unknown = background(spec.features, rows, spec.trainer.seed)
    graph = builder.build(registered, scored.task, {builder.SPEC_DIGEST: spec.digest, **known_time, **unknown})
    served = partial(_outputs, run, graph, scored.task)
    compared, edge_notes = _compare(spec, registered, scored.task, served, rows)
    return FittedCandidate(
        model=graph,
        holdout=holdout,
        scored=scored,
        notes=(
            *data_checks.left_out_notes(spec, training_set),
            *external_notes(spec, model, rows, until, holdout),
            *edge_notes,
            *data_checks.notes_beside_a_model(spec, rows, parts),
            *data_checks.calibration_notes(spec, later),
            *coverage_notes(scored),
        ),
        parameters=None,
        parity=compared,
        reference=feature_reference.of_rows(spec.features, rows),
        training_set_digest=training_set.digest,
        rows=rows.height,
        rows_trained=0,
        event_time_from=rows[time][0],
        event_time_to=rows[time][-1],
        importance=permutation_importance(spec, holdout, scored, served),
    )


def _outputs(run: RunGraph, graph: bytes, fitted: FittedTask, feeds: Inputs) -> Mapping[str, NDArray[Any]]:
    """Return the outputs of the graph that would serve, by name."""
    outputs = task_named(fitted.task).outputs(fitted)
    found = run(graph, [output.tensor for output in outputs], feeds)
    return {
        output.name: values if output.kind == "probabilities" else values.reshape(-1)
        for output, values in zip(outputs, found, strict=True)
    }


def _classes(spec: ModelSpec) -> tuple[str, ...] | None:
    """Return the classes that the spec defines. None for a task of several classes: the model defines them."""
    task = task_named(spec.task)
    return None if task.open_classes else task.classes([], spec.labels)


def _trained_until(model: ExternalModel) -> datetime | None:
    written = model.metadata.get(builder.TRAINED_UNTIL)
    if written is None:
        return None
    try:
        return to_utc(datetime.fromisoformat(written))
    except ValueError:
        raise UnreadableTimeError(written) from None


def _later(spec: ModelSpec, holdout: pl.DataFrame, until: datetime | None) -> pl.DataFrame:
    """Return the rows of the holdout that the model was not fitted to. All rows if `until` is not known."""
    if until is None:
        return holdout
    time = spec.data.event_time
    later = holdout.filter(holdout[time] > until)
    if later.is_empty() or not is_comparable(spec, later):
        raise NoLaterRowsError(until, holdout[time][-1])
    return later


def _check_classes(spec: ModelSpec, model: ExternalModel, rows: pl.DataFrame) -> None:
    labels = rows[spec.data.label].unique().to_list()
    if task_named(spec.task).open_classes and not set(labels) & set(model.classes):
        found = listed(sorted(map(str, labels)))
        raise UnmatchedClassesError(
            model.classes, f"the classes of the model are {listed(model.classes)}, and the labels of the rows {found}"
        )


def _finite_predictions(spec: ModelSpec, registered: ExternalFeatureModel, rows: pl.DataFrame) -> NDArray[np.float64]:
    raw = registered.predict(rows)
    registered.model.output.check(task_named(spec.task).target, raw)
    check_rows_alone(registered.predict, rows, raw)
    unpredictable = int((~np.isfinite(raw).all(axis=1)).sum())
    if unpredictable:
        raise UnpredictableRowsError(unpredictable, rows.height)
    return raw


def _compare(
    spec: ModelSpec,
    registered: ExternalFeatureModel,
    fitted: FittedTask,
    served: Predict,
    rows: pl.DataFrame,
) -> tuple[Parity, list[TrainingNote]]:
    """Compare the graph that would serve with the given graph, and note the rows that it can't predict.

    A graph may fail on an unknown category. It is then compared on the other rows: serving answers such a request with
    an error, and the other requests of its batch as usual.
    """
    task, features, seed = task_named(spec.task), spec.features, spec.trainer.seed

    def compared(chosen: pl.DataFrame) -> Parity:
        raw = registered.predict(chosen)
        given, found = task.predictions(fitted, raw), served(inputs.onnx_inputs(features, chosen))
        return parity.compare(fitted, lambda at: raw[at], given, found, chosen, native=registered.native)

    ordinary = compared(parity.ordinary_rows(features, rows, seed))
    try:
        edges = compared(parity.edge_rows(features, rows, seed))
    except RunFailedError as error:
        return ordinary, [TrainingNote(code=NoteCode.FAILS_ON_EDGES, message=f"for unusual values, {error}")]
    both = ordinary.model_copy(
        update={
            "rows": ordinary.rows + edges.rows,
            "max_difference": max(ordinary.max_difference, edges.max_difference),
        }
    )
    return both, list(_missing_values(spec, registered, rows))


def _missing_values(spec: ModelSpec, registered: ExternalFeatureModel, rows: pl.DataFrame) -> Iterator[TrainingNote]:
    """Yield a note for each optional feature without which the model gives no number."""
    optional = {name: each for name, each in spec.features.items() if each.optional}
    if not optional:
        return
    missing = parity.without_values(spec.features, rows, spec.trainer.seed)
    raw = registered.predict(missing)
    for at, name in enumerate(spec.features):
        if name in optional and not np.isfinite(raw[at]).all():
            message = (
                f"without a value of {name!r}, which is optional, the model gives no finite number: such a request is"
                " answered with an error"
            )
            yield TrainingNote(code=NoteCode.NEEDS_VALUE, feature=name, message=message)
