"""Decides whether a claimed run is skipped: it has too few rows, or would train the same model again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.training import TrainingSkipped
from rondo.contracts.spec.model import format_duration
from rondo.contracts.vocabularies import SkipReason, TriggerKind
from rondo.trainer.adaptation.growth import GAINED_NOTHING, GROWTH, rows_needed, rows_of_drop
from rondo.trainer.dataset.data_checks import described_left_out, described_outside
from rondo.trainer.fitting.report import report
from rondo.trainer.triggers.admission import HARM

if TYPE_CHECKING:
    from rondo.trainer.dataset.training_set import TrainingSet
    from rondo.trainer.fitting.choose import Chosen
    from rondo.trainer.run import LastTraining, Run, Training


def too_few_rows(run: Run, rows: int) -> TrainingSkipped:
    """Return the skip of a run whose tables have only `rows` rows in total, labelled or not."""
    detail = f"{rows:,} of {run.spec.trainer.min_rows:,} rows; waiting for more batches or outcomes"
    return _skipped(run, SkipReason.NOT_ENOUGH_DATA, detail)


def reason_to_skip(
    run: Run, training_set: TrainingSet, function_digest: str | None, last: LastTraining | None
) -> TrainingSkipped | None:
    """Return the skip of a run. None if it trains.

    The same spec, the same rows and the same function code give the same model, which does not resolve a finding. A
    manual run trains anyway: a person asked for it, or the registry needs a comparison of the candidate with a new
    champion. A registration has another model for the same rows.
    """
    rows, spec = training_set.rows.height, run.spec
    if rows < spec.trainer.min_rows:
        detail = f"{rows:,} of {spec.trainer.min_rows:,} labelled rows {_window(run, training_set)}"
        reasons = []
        if training_set.left_out is not None:
            reasons.append(described_left_out(spec, training_set.left_out, rows))
        if training_set.outside is not None:
            reasons.append(described_outside(spec, training_set.outside, rows))
        detail = "; ".join([detail, *(reasons or ["waiting for more batches or outcomes"])])
        return _skipped(run, SkipReason.NOT_ENOUGH_DATA, detail)
    if last is None or run.trigger.kind in (TriggerKind.MANUAL, TriggerKind.REGISTRATION):
        return None
    if (last.spec_digest, last.training_set_digest) != (spec.digest, training_set.digest):
        return None
    if last.function_digest != function_digest:
        return None
    detail = f"{last.run_id} trained on the same {rows:,} labelled rows {_window(run, training_set)}"
    return _skipped(run, SkipReason.NO_NEW_DATA, f"{detail}: publish newer rows, or send the outcomes of predictions")


def not_grown(run: Run, unfitted: int, known: Training | None) -> TrainingSkipped | None:
    """Return the skip of a run with `policy: auto` that has fewer new rows than the events reported.

    The events count a row twice that is published and served, or published again.
    """
    if known is None or not run.spec.retrain.is_automatic:
        return None
    why = ""
    if run.trigger.kind in HARM:
        certain = run.trigger.kind == TriggerKind.PERFORMANCE
        needed = rows_of_drop(known.state.first, len(run.spec.features), run.trigger.loss_rise, certain=certain)
    elif run.trigger.kind == TriggerKind.NEW_LABELS:
        again = known.state.unconfirmed
        needed = rows_needed(
            known.fitted, known.growth, known.state.first, None if again is None else again.rows - known.rows
        )
        why = f": {GAINED_NOTHING}, it follows {known.growth:.0%} more" if known.growth > GROWTH else ""
    else:
        return None
    if unfitted >= needed:
        return None
    detail = f"{unfitted:,} of {needed:,} labelled rows that the next training needs are new; waiting for more"
    return _skipped(run, SkipReason.NOT_ENOUGH_DATA, f"{detail}{why}")


def keeps_champion(run: Run, chosen: Chosen) -> TrainingSkipped:
    """Return the end of a run that keeps the champion, with the figures of all strategies."""
    compared = report(chosen, refitted=False)
    return TrainingSkipped(
        model=run.model,
        trigger=run.trigger,
        reason=SkipReason.NO_GAIN,
        detail=compared.reason,
        run_id=run.id,
        adaptation=compared,
    )


def _window(run: Run, training_set: TrainingSet) -> str:
    until = f"{training_set.until:%Y-%m-%d %H:%M}"
    if training_set.since is None or run.spec.trainer.window is None:
        return f"up to {until}"
    window = format_duration(run.spec.trainer.window)
    return f"from {training_set.since:%Y-%m-%d %H:%M} to {until} (`trainer.window: {window}` before the newest of them)"


def _skipped(run: Run, reason: SkipReason, detail: str) -> TrainingSkipped:
    return TrainingSkipped(model=run.model, trigger=run.trigger, reason=reason, detail=detail, run_id=run.id)
