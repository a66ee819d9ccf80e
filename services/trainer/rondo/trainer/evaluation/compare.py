"""Evaluates a candidate and the champion on the same rows, which neither was fitted to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rondo.contracts.tasks.base import Costs
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.training_evidence import Evaluation, PerformanceFigure, ReferenceProfile
from rondo.trainer.dataset.columns import targets
from rondo.trainer.dataset.split import unseen_by_champion
from rondo.trainer.evaluation import bootstrap, reference_blocks, reference_profile
from rondo.trainer.evaluation.calibration import calibration_of
from rondo.trainer.evaluation.candidate import Candidate
from rondo.trainer.evaluation.metrics.metrics import compute_all
from rondo.trainer.evaluation.metrics.scored import Scored
from rondo.trainer.evaluation.paired_holdout import paired_holdout
from rondo.trainer.evaluation.slices import evaluate_slices, reference_slices
from rondo.trainer.onnx_graph import builder
from rondo.trainer.onnx_graph.errors import GraphFailedError
from rondo.trainer.preparation import inputs

if TYPE_CHECKING:
    from concurrent.futures import Future
    from datetime import datetime

    import polars as pl

    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.training_evidence import Comparison, PairedHoldout
    from rondo.trainer.evaluation.candidate import ChampionModel, FittedCandidate
    from rondo.trainer.ports import Score


def evaluate_candidate(
    spec: ModelSpec, fitted: FittedCandidate, champion: ChampionModel | None, score: Score
) -> Candidate:
    """Evaluate a fitted model and the champion on the holdout.

    If the champion was fitted to a part of the holdout, both are evaluated on the rest, if that is large enough. If the
    rest is too small and models are refitted, the champion is not comparable.
    """
    unseen = unseen_by_champion(spec, fitted.holdout, trained_until(champion))
    holdout = fitted.holdout if unseen is None else unseen
    scored = fitted.scored.take(slice(fitted.holdout.height - holdout.height, None))
    with ThreadPoolExecutor(1) as pool:
        # Neither the champion's graph nor the bootstrap keeps all cores busy.
        evaluation = pool.submit(_evaluate, spec, holdout, scored)
        profile = pool.submit(_profile, spec, fitted, holdout, scored)
        by_champion, not_comparable = (
            (None, "it was fitted to the rows that evaluate the candidate")
            if unseen is None
            else score_champion(spec, champion, holdout, score)
        )
        of_champion: Future[Evaluation] | None = None
        comparisons: tuple[Comparison, ...] = ()
        paired: PairedHoldout | None = None
        if by_champion is not None:
            of_champion = pool.submit(_evaluate, spec, holdout, by_champion)
            comparisons = _comparisons(spec, scored, by_champion)
            paired = _paired(spec, holdout, scored, by_champion)
    return Candidate(
        model=fitted.model,
        evaluation=evaluation.result(),
        champion=of_champion.result() if of_champion else None,
        champion_version=champion.version if champion else None,
        champion_not_comparable=not_comparable,
        comparisons=comparisons,
        notes=fitted.notes,
        parameters=fitted.parameters,
        profile=profile.result(),
        parity=fitted.parity,
        training_set_digest=fitted.training_set_digest,
        rows_trained=fitted.rows_trained,
        rows_holdout=holdout.height,
        event_time_from=fitted.event_time_from,
        event_time_to=fitted.event_time_to,
        rows_weighed=fitted.rows_weighed,
        function=fitted.function,
        members=fitted.members,
        adaptation=fitted.adaptation,
        paired=paired,
        trials=fitted.trials,
    )


def _paired(spec: ModelSpec, holdout: pl.DataFrame, candidate: Scored, champion: Scored) -> PairedHoldout | None:
    seconds = holdout[spec.data.event_time].dt.epoch("us").to_numpy() / 1_000_000
    tables = (reference_profile.counted_rows(each) for each in (candidate, champion))
    return paired_holdout(champion.task, seconds, *tables)


def _profile(spec: ModelSpec, fitted: FittedCandidate, holdout: pl.DataFrame, scored: Scored) -> ReferenceProfile:
    """Return the reference profile. Its outputs are those of the holdout: a model is surer on rows it was fitted to."""
    sketch = task_named(scored.task.task).sketch(scored.task)
    counted, outputs = reference_profile.counted_rows(scored), reference_profile.of_outputs(scored)
    figures = sketch.figures(sketch.count(counted))
    loss = reference_blocks.of_losses(scored.task, counted)
    return ReferenceProfile(
        rows=fitted.rows,
        seconds=(fitted.event_time_to - fitted.event_time_from).total_seconds(),
        features=fitted.reference.profile,
        outputs=outputs,
        task=scored.task,
        performance={name: PerformanceFigure(value=f.value, error=f.error) for name, f in figures.items()},
        feature_blocks=fitted.reference.blocks,
        projections=fitted.reference.projections,
        output_blocks=reference_blocks.of_outputs(outputs, scored, refitted=fitted.refitted),
        loss=loss,
        calibration=calibration_of(scored.task, counted, outputs, loss),
        slices=tuple(reference_slices(spec, holdout, scored.task, counted)),
        importance=fitted.importance,
        repeated_rows=fitted.reference.repeated_rows,
    )


def trained_until(champion: ChampionModel | None) -> datetime | None:
    """Return the newest event time of the rows that the champion was fitted to. None where it is not known."""
    return builder.trained_until(champion.model) if champion and champion.model else None


def _evaluate(spec: ModelSpec, rows: pl.DataFrame, scored: Scored) -> Evaluation:
    task, gates = task_named(spec.task), spec.gates
    wanted: dict[str, list[str]] = {column: [gates.slice_metric or task.primary] for column in gates.slices}
    if gates.fairness:
        wanted.setdefault(gates.fairness.by, []).append(gates.fairness.metric or task.primary)
    return Evaluation(
        metrics=compute_all(task.metrics, scored),
        slices=tuple(
            part
            for column, metrics in wanted.items()
            for part in evaluate_slices(rows[column], scored, tuple(dict.fromkeys(metrics)))
        ),
    )


def _comparisons(spec: ModelSpec, candidate: Scored, champion: Scored) -> tuple[Comparison, ...]:
    gates = spec.gates
    wanted = [name for name, gate in gates.metrics.items() if gate.not_worse_than_champion is not None]
    found = [bootstrap.compare(name, candidate, champion, gates.confidence, spec.trainer.seed) for name in wanted]
    return tuple(each for each in found if each is not None)


def score_champion(
    spec: ModelSpec, champion: ChampionModel | None, rows: pl.DataFrame, score: Score
) -> tuple[Scored | None, str | None]:
    """Return the champion's outputs, or the reason why it is not comparable.

    Both are None without a champion, or if its artifact is lost: the registry checks the artifact itself. A champion is
    not comparable if it has another task, needs a feature that the rows lack, fails on a row, or gives no finite number
    for a row: serving would refuse such a prediction.
    """
    if champion is None or champion.model is None:
        return None, None
    features, task = builder.read_signature(champion.model), builder.read_task(champion.model)
    if task.task != spec.task:
        return None, f"its task is {task.task}"
    # Both models are evaluated by the costs of the spec in force.
    cost = None if spec.prediction.cost is None else Costs(**spec.prediction.cost.model_dump())
    task = task.model_copy(update={"cost": cost})
    if absent := sorted(features.keys() - set(rows.columns)):
        return None, f"it needs {', '.join(absent)}, which the rows lack"
    try:
        scored = Scored(
            task, targets(spec, rows, task.labels), score(champion.model, inputs.onnx_inputs(features, rows))
        )
    except GraphFailedError as error:
        return None, f"it fails on a row of the holdout ({error})"
    return (scored, None) if scored.finite else (None, "it gives no finite number for a row of the holdout")
