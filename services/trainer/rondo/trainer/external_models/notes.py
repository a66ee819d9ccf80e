"""Notes on a model that was made elsewhere: the statements of its metadata, and the facts that remain unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, ValidationError

from rondo.contracts.events.training import TrainingNote
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.vocabularies import NoteCode
from rondo.trainer.dataset.split import MIN_FRESH_ROWS
from rondo.trainer.external_models.errors import listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import polars as pl

    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.external_models.model import ExternalModel

# The key in the metadata of a file that `rondo.client` converted from an estimator: the comparison of both there.
COMPARED = "rondo.compared"


class _ComparedByClient(BaseModel):
    """The comparison of a file with its estimator, from the metadata of the file."""

    rows: Annotated[int, Field(gt=0)]
    left_out: Annotated[int, Field(ge=0)] = 0
    max_difference: Annotated[float, Field(ge=0, allow_inf_nan=False)]


def external_notes(
    spec: ModelSpec, model: ExternalModel, rows: pl.DataFrame, until: datetime | None, holdout: pl.DataFrame
) -> Iterator[TrainingNote]:
    """Yield notes on a model of the labelled `rows`, which `holdout` evaluates.

    `until` is the newest event time of the rows that the model was fitted to. None if its metadata has none.
    """
    if model.unused:
        message = f"the model does not use {listed(model.unused)}"
        yield TrainingNote(code=NoteCode.UNUSED_FEATURES, message=message)
    if (written := model.metadata.get(COMPARED)) is not None:
        yield from _compared_by_client(written)
    if model.output.assumed:
        message = (
            f"the model does not say in which order its probabilities are: it is taken to be {listed(model.classes)}"
        )
        yield TrainingNote(code=NoteCode.ASSUMED_CLASSES, message=message)
    if until is None:
        message = (
            f"nothing says which rows the model was fitted to: if the {holdout.height:,} rows that it is evaluated on"
            " are among them, its metrics are too good; give `trained_until` when you register it"
        )
        yield TrainingNote(code=NoteCode.UNKNOWN_TRAINING_ROWS, message=message)
    elif holdout.height < MIN_FRESH_ROWS:
        message = f"{holdout.height:,} rows are later than those that the model was fitted to"
        yield TrainingNote(code=NoteCode.FEW_LATER_ROWS, message=message)
    if task_named(spec.task).open_classes:
        yield from _class_notes(model.classes, rows[spec.data.label])


def _compared_by_client(written: str) -> Iterator[TrainingNote]:
    try:
        compared = _ComparedByClient.model_validate_json(written)
    except ValidationError:
        return
    message = (
        f"by its metadata, the file was compared with the estimator that it was converted from: on {compared.rows:,}"
        f" rows the predictions differ by at most {compared.max_difference:.2g}"
    )
    if compared.left_out:
        message += (
            f"; {compared.left_out:,} rows with edge values, such as missing ones, were left out, for the estimator"
            " refuses them: the graph answers them nevertheless"
        )
    yield TrainingNote(code=NoteCode.COMPARED_BY_CLIENT, message=message)


def _class_notes(classes: tuple[str, ...], labels: pl.Series) -> Iterator[TrainingNote]:
    found = set(labels.unique().to_list())
    if new := sorted(found - set(classes)):
        share = sum(labels.is_in(new).to_list()) / labels.len()
        message = f"{share:.2%} of the labelled rows have a label that the model lacks, such as {new[0]!r}"
        yield TrainingNote(code=NoteCode.UNKNOWN_CLASS, message=message)
    if absent := [name for name in classes if name not in found]:
        yield TrainingNote(
            code=NoteCode.ABSENT_CLASS, message=f"no labelled row has the label {listed(absent)} of the model"
        )
