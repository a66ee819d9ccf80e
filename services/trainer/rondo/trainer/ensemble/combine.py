"""Makes a candidate of a newly fitted model and the models of the last champions.

The holdout is divided by event time: its earlier half determines the weights, and its later half evaluates the
candidate, so no row does both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.chassis.onnx_document import versions_of
from rondo.contracts.events.training import EnsembleMember, TrainingNote
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.vocabularies import NoteCode
from rondo.trainer.dataset.columns import targets
from rondo.trainer.dataset.split import halves
from rondo.trainer.ensemble import members
from rondo.trainer.ensemble.mean import WeightedMean
from rondo.trainer.ensemble.members import FITTED_UNTIL, MEMBERS, Member, NoMemberError, read_member
from rondo.trainer.ensemble.weights import mean_squared_error, reference_error, weigh
from rondo.trainer.onnx_graph import operators
from rondo.trainer.onnx_graph.operators import OperatorVersionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy as np
    import onnx
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.evaluation.candidate import ChampionModel
    from rondo.trainer.onnx_graph.feature_model import FeatureModel
    from rondo.trainer.ports import Score

# A replica of serving holds several times as many bytes for each version.
MAX_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class Combined:
    """A candidate's model, and the part of the holdout that evaluates it.

    `until` is the newest event time of the rows that its model or its weights are fitted to. `metadata` is that of its
    graph. Without `members` the model is the newly fitted one.
    """

    model: FeatureModel
    holdout: pl.DataFrame
    until: datetime
    rows_weighed: int = 0
    members: tuple[EnsembleMember, ...] = ()
    notes: tuple[TrainingNote, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Candidates:
    """The newly fitted model and the members of champions, each with its graph and its predictions of the holdout.

    The operators are of one version.
    """

    opsets: Mapping[str, int]
    models: list[FeatureModel | Member]
    graphs: list[onnx.ModelProto]
    raw: list[NDArray[np.float64]]


def combine(
    spec: ModelSpec,
    classes: tuple[str, ...],
    fitted: Combined,
    champions: Sequence[ChampionModel],
    score: Score,
    compared: pl.DataFrame,
) -> Combined:
    """Return the weighted mean of the fitted model and the models of champions, given from the newest.

    `compared` are the rows on which the graph of the candidate is compared with the model (`parity.compared_rows`).
    A champion whose model can't be a member is left out with a note. Where none is left, or the holdout can't be
    divided, the fitted model is the candidate.
    """
    notes: list[TrainingNote] = []
    parts = halves(spec, fitted.holdout) if champions else None
    if champions and parts is None:
        notes.append(
            _note(NoteCode.ENSEMBLE, "the holdout can't be divided into rows that weigh and rows that evaluate")
        )
    if parts is None:
        return _alone(fitted, notes)
    earlier, later = parts
    read = [
        each
        for champion in champions
        if (each := _read(spec, classes, champion, fitted.holdout, compared, score, notes)) is not None
    ]
    made = _with_one_version_of_operators(fitted, read, notes)
    if len(made.models) == 1:
        return _alone(fitted, notes)
    found, target = targets(spec, earlier, classes), task_named(spec.task).target
    errors = [mean_squared_error(target, raw[: earlier.height], found) for raw in made.raw]
    weights = _within_size(weigh(errors, reference_error(target, found)), errors, made, notes)
    return _weighted(spec, fitted, later, made, errors, weights, notes)


def _weighted(
    spec: ModelSpec,
    fitted: Combined,
    later: pl.DataFrame,
    made: _Candidates,
    errors: Sequence[float],
    weights: Sequence[float],
    notes: list[TrainingNote],
) -> Combined:
    kept = [index for index, weight in enumerate(weights) if weight > 0]
    weighed = fitted.holdout.height - later.height
    found = tuple(
        _described(model, weight, error) for model, weight, error in zip(made.models, weights, errors, strict=True)
    )
    mean: FeatureModel = WeightedMean(
        fitted.model.features,
        made.opsets,
        [made.models[index] for index in kept],
        [made.graphs[index] for index in kept],
        [weights[index] for index in kept],
        known=(later, [made.raw[index][weighed:] for index in kept]),
    )
    versions = {MEMBERS: json.dumps([found[index].model_version for index in kept])}
    if kept == [0]:
        mean, versions = fitted.model, {}
    shares = ", ".join(f"{_name(each.model_version)} {each.weight:.1%}" for each in found)
    message = (
        f"the mean of {len(kept)} of {len(found)} models, by their errors on {weighed:,} rows of the holdout: {shares}"
    )
    return Combined(
        model=mean,
        holdout=later,
        until=fitted.holdout[spec.data.event_time][weighed - 1],
        rows_weighed=weighed,
        members=found,
        notes=(*notes, _note(NoteCode.ENSEMBLE, message)),
        metadata={**versions, FITTED_UNTIL: fitted.until.isoformat()},
    )


def _alone(fitted: Combined, notes: list[TrainingNote]) -> Combined:
    return Combined(fitted.model, fitted.holdout, fitted.until, notes=tuple(notes))


def _read(
    spec: ModelSpec,
    classes: tuple[str, ...],
    champion: ChampionModel,
    holdout: pl.DataFrame,
    compared: pl.DataFrame,
    score: Score,
    notes: list[TrainingNote],
) -> tuple[Member, NDArray[np.float64]] | None:
    try:
        member = read_member(champion.version, champion.model, spec, classes, score)
        if member.fitted_until is None:
            raise NoMemberError("it is not known which rows it was fitted to")
        if member.fitted_until >= holdout[spec.data.event_time][0]:
            raise NoMemberError("it was fitted to rows that determine the weights")
        raw = member.predict_checked(holdout, compared)
    except NoMemberError as error:
        notes.append(_left_out(champion.version, str(error)))
        return None
    return member, raw


def _with_one_version_of_operators(
    fitted: Combined, read: Sequence[tuple[Member, NDArray[np.float64]]], notes: list[TrainingNote]
) -> _Candidates:
    """Convert all graphs to the newest operators that one of them has."""
    own = members.raw_graph_of(fitted.model)
    versions = operators.newest(versions_of(graph) for graph in (own, *(member.graph for member, _ in read)))
    made = _Candidates(versions, [fitted.model], [], [fitted.model.predict(fitted.holdout)])
    try:
        made.graphs.append(operators.convert(own, versions))
    except OperatorVersionError as error:
        notes.append(_note(NoteCode.ENSEMBLE, f"the fitted model is not combined with others: {error}"))
        return made
    for member, raw in read:
        try:
            made.graphs.append(operators.convert(member.graph, versions))
        except OperatorVersionError as error:
            notes.append(_left_out(member.version, str(error)))
        else:
            made.models.append(member)
            made.raw.append(raw)
    return made


def _within_size(
    weights: tuple[float, ...], errors: Sequence[float], made: _Candidates, notes: list[TrainingNote]
) -> tuple[float, ...]:
    """Drop the members of the least weight, and never the fitted model, until the graphs are small enough."""
    sizes = [graph.ByteSize() for graph in made.graphs]
    for index in sorted(range(1, len(weights)), key=lambda each: (weights[each], -errors[each])):
        if sum(size for size, weight in zip(sizes, weights, strict=True) if weight > 0) <= MAX_BYTES:
            break
        if weights[index] > 0:
            member = made.models[index]
            assert isinstance(member, Member)  # noqa: S101 - the first alone is none
            notes.append(_left_out(member.version, f"the models of an ensemble have at most {MAX_BYTES:,} bytes"))
            weights = _without(weights, index)
    return weights


def _without(weights: tuple[float, ...], dropped: int) -> tuple[float, ...]:
    rest = [0.0 if index == dropped else weight for index, weight in enumerate(weights)]
    # Weights are gains over a reference, so their proportions stay.
    return weigh([1 - weight for weight in rest], 1.0)


def _described(model: FeatureModel | Member, weight: float, error: float) -> EnsembleMember:
    if isinstance(model, Member):
        return EnsembleMember(model_version=model.version, digest=model.digest, weight=weight, mse=error)
    return EnsembleMember(weight=weight, mse=error)


def _name(version: int | None) -> str:
    return "this one" if version is None else f"version {version}"


def _left_out(version: int, why: str) -> TrainingNote:
    return _note(NoteCode.ENSEMBLE_LEFT_OUT, f"version {version} is left out of the ensemble: {why}")


def _note(code: NoteCode, message: str) -> TrainingNote:
    return TrainingNote(code=code, message=message)
