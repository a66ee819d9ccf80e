"""Decides whether a trigger starts a run: one run in flight per model, a cooldown, a weekly budget, a circuit breaker.

With `policy: triggers` the spec lists the triggers that may start a run. With `policy: auto` the labelled rows decide.

A registration does not train: each has a run, in sequence with the trainings of the model, and none of these rules
applies to it.

Cooldown and budget count in event time: `trigger.at` is compared with `trigger.at` of earlier runs. A replay of a year
in a minute then decides as the live year did. The distance is absolute: findings may arrive out of order, and a manual
trigger has the time of the wall clock, which is far from a replay's event time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from rondo.contracts.spec.cron import PREFIX
from rondo.contracts.spec.model import format_duration
from rondo.contracts.vocabularies import SkipReason, TriggerKind
from rondo.trainer.adaptation.comparability import comparability_digest
from rondo.trainer.adaptation.confirmation import rows_to_confirm
from rondo.trainer.adaptation.growth import (
    GAINED_NOTHING,
    GROWTH,
    Costs,
    change_pays,
    gain_of_growth,
    growth_needed,
    pays,
    rows_needed,
    rows_of_drop,
)
from rondo.trainer.run import IN_FLIGHT

if TYPE_CHECKING:
    from rondo.contracts.events.training import Trigger
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.run import History, Labels, PastRun

# After three failures in a row the next automatic run most likely fails, too.
BREAKER_FAILURES = 3
WEEK = timedelta(days=7)
# The triggers of a possible drop of the performance.
HARM = (TriggerKind.PERFORMANCE, TriggerKind.SUSPICION)


@dataclass(frozen=True)
class Start:
    """Queue a run."""


@dataclass(frozen=True)
class Skip:
    """Queue no run. `run_id` is the run in flight, if there is one."""

    reason: SkipReason
    detail: str
    run_id: str | None = None


@dataclass(frozen=True)
class AlreadyHandled:
    """The trigger already has its run. It is a redelivery, and nothing is published."""

    run_id: str


Decision = Start | Skip | AlreadyHandled


def admit(trigger: Trigger, spec: ModelSpec | None, history: History) -> Decision:
    """Decide whether a trigger starts a run. The first of several reasons against it is returned."""
    if past := next((run for run in history.runs if run.trigger.id == trigger.id), None):
        return AlreadyHandled(past.id)
    if spec is None:
        return Skip(
            SkipReason.NO_SPEC, "this model has no spec yet: if you have not applied one, run `rondo apply rondo.yaml`"
        )
    history = replace(_since_removal(history), labels=_by_spec(history.labels, spec))
    if trigger.kind == TriggerKind.REGISTRATION:
        return Start()
    not_wanted = _not_due if spec.retrain.is_automatic else _not_subscribed
    return (
        not_wanted(trigger, spec, history)
        or _in_flight(history)
        or _breaker(trigger, spec, history)
        or _cooldown(trigger, spec, history)
        or _budget(trigger, spec, history)
        or Start()
    )


def counted(trigger: Trigger, spec: ModelSpec | None, history: History) -> Trigger:
    """With `policy: auto`, return a trigger of new labels for a batch that is handled after the first training.

    The batch was deferred until the first training ended, so it is no longer the first data of its model.
    """
    if trigger.kind != TriggerKind.DATA or spec is None or not spec.retrain.is_automatic or not history.ever_trained:
        return trigger
    return trigger.model_copy(update={"kind": TriggerKind.NEW_LABELS.value})


def outdated(drop: Trigger, history: History) -> Skip | None:
    """Return the skip of a deferred drop of the performance that does not apply to the champion. None if it applies.

    It does not apply if the last training had newer rows, or if another version became the champion.
    """
    until, champion = history.labels.until, history.champion
    if until is not None and drop.at < until:
        rows = f"the last training had rows until {until:%Y-%m-%d %H:%M}"
        return Skip(SkipReason.OUTDATED, f"{rows}, and the drop is of {drop.at:%Y-%m-%d %H:%M}")
    if champion is None or drop.model_version is None or drop.model_version == champion:
        return None
    return Skip(SkipReason.OUTDATED, f"the drop is of version {drop.model_version}, and version {champion} serves now")


def with_growth(trigger: Trigger, spec: ModelSpec, labels: Labels) -> Trigger:
    """Add the number of new labels to a trigger of new labels, with `policy: auto`. Other triggers stay as they are."""
    if trigger.kind != TriggerKind.NEW_LABELS or not spec.retrain.is_automatic:
        return trigger
    detail = f"{labels.new:,} newly labelled rows"
    if labels.fitted:
        share = f"{labels.new / labels.fitted:.0%} of the {labels.fitted:,}"
        detail = f"{detail}, {share} that the last model was fitted to"
    return trigger.model_copy(update={"detail": detail})


def _since_removal(history: History) -> History:
    """Return the history without runs from before a removal. A run in flight still counts until it has ended."""
    runs = tuple(run for run in history.runs if not run.before_removal or run.state in IN_FLIGHT)
    return replace(history, runs=runs)


def _by_spec(labels: Labels, spec: ModelSpec) -> Labels:
    """Return labels with the growth, gain and loss that apply to a spec.

    Losses by another basis do not apply. Without costs no training has to be worth its cost, so the growth is the
    default.
    """
    if labels.basis != comparability_digest(spec):
        return replace(labels, growth=GROWTH, gain=None, loss=None)
    return labels if Costs.of(spec) else replace(labels, growth=GROWTH)


def _always_wanted(trigger: Trigger, spec: ModelSpec, history: History) -> bool:
    first_data = trigger.kind == TriggerKind.DATA and not history.ever_trained
    scheduled = trigger.kind == TriggerKind.SCHEDULE and any(on.startswith(PREFIX) for on in spec.retrain.on)
    return trigger.kind == TriggerKind.MANUAL or first_data or scheduled


def _not_due(trigger: Trigger, spec: ModelSpec, history: History) -> Skip | None:
    """Decide by the labelled rows. A change of inputs starts no training: only labels show whether it does harm."""
    if _always_wanted(trigger, spec, history):
        return None
    labels = history.labels
    match trigger.kind:
        case TriggerKind.DRIFT | TriggerKind.QUALITY:
            detail = "the inputs changed, and no drop of the performance is known: labels decide about a training"
            return Skip(SkipReason.NO_HARM, f"{detail}, or `rondo train {spec.model}`")
        case TriggerKind.PERFORMANCE | TriggerKind.SUSPICION:
            certain = trigger.kind == TriggerKind.PERFORMANCE
            needed = rows_of_drop(labels.first, len(spec.features), trigger.loss_rise, certain=certain)
            few = _too_few(labels.new, needed, "a drop of the performance is looked into with")
            return few or _change_is_young(spec, trigger) or _change_costs_more(spec, labels, trigger.loss_rise)
        case TriggerKind.NEW_LABELS if not history.ever_trained:
            return _too_few(labels.new, spec.trainer.min_rows, "the first training needs")
        case TriggerKind.NEW_LABELS:
            return _not_grown(labels) or (
                _change_costs_more(spec, labels, labels.loss) if _is_second_look(labels) else _costs_more(spec, labels)
            )
        case _:
            return _not_subscribed(trigger, spec, history)


def _is_second_look(labels: Labels) -> bool:
    """Return whether the next training checks a change again that was not confirmed."""
    needed = growth_needed(labels.fitted, labels.growth)
    return rows_needed(labels.fitted, labels.growth, labels.first, labels.again) < needed


def _not_grown(labels: Labels) -> Skip | None:
    needed = rows_needed(labels.fitted, labels.growth, labels.first, labels.again)
    if _is_second_look(labels):
        return _too_few(labels.new, needed, "a change that was not confirmed is looked into with")
    why = f" ({GAINED_NOTHING})" if labels.growth > GROWTH else ""
    return _too_few(labels.new, needed, f"the next training follows {labels.growth:.0%} of {labels.fitted:,}{why},")


def _too_few(new: int, needed: int, what: str) -> Skip | None:
    if new >= needed:
        return None
    return Skip(SkipReason.NOT_ENOUGH_DATA, f"about {new:,} labelled rows are new; {what} {needed:,}")


def _costs_more(spec: ModelSpec, labels: Labels) -> Skip | None:
    """Return the skip of a training that is not worth its cost, by the gain of past fits and an upper bound of it."""
    costs = Costs.of(spec)
    gain = gain_of_growth(labels.gain, labels.loss, labels.fitted, labels.new)
    if costs is None or pays(gain, labels.new, costs):
        return None
    return _no_gain(f"a training saves a loss of {gain:.4f} a row at most", gain, labels.new, costs)


def _change_is_young(spec: ModelSpec, trigger: Trigger) -> Skip | None:
    """Return the skip of a training that has a cost, and too few rows since the change to fit to."""
    needed, rows = rows_to_confirm(len(spec.features)), trigger.rows_since
    if Costs.of(spec) is None or rows is None or rows >= needed:
        return None
    detail = f"{rows:,} labelled rows since the change; with retrain.training_cost it is looked into with {needed:,}"
    return Skip(SkipReason.NOT_ENOUGH_DATA, detail)


def _change_costs_more(spec: ModelSpec, labels: Labels, rise: float | None) -> Skip | None:
    """Return the skip of a training that checks a rise of the loss, if undoing the rise is not worth a training."""
    costs = Costs.of(spec)
    if costs is None or rise is None or change_pays(rise, labels.fitted, labels.new, costs):
        return None
    rows = max(labels.fitted, labels.new)
    return _no_gain(f"the loss has risen by {rise:.4f} a row", rise, rows, costs)


def _no_gain(what: str, gain: float, rows: int, costs: Costs) -> Skip:
    worth = f"worth {gain * rows * costs.error:.4g} over {rows:,} rows"
    return Skip(SkipReason.NO_GAIN, f"{what}, {worth}, and one costs {costs.training:g} (retrain.training_cost)")


def _not_subscribed(trigger: Trigger, spec: ModelSpec, history: History) -> Skip | None:
    if _always_wanted(trigger, spec, history) or trigger.kind in spec.retrain.on:
        return None
    if trigger.kind == TriggerKind.SUSPICION:
        return Skip(
            SkipReason.NOT_SUBSCRIBED,
            "a suspicion, whose rate of errors is not bounded, starts a training by `retrain.policy: auto` alone: set "
            f"it, or train now with `rondo train {spec.model}`",
        )
    subscribed = ", ".join(spec.retrain.on) or "nothing"
    return Skip(
        SkipReason.NOT_SUBSCRIBED,
        f"retrain.on lists {subscribed}, not {trigger.kind}: add {trigger.kind} to train on it, or train "
        f"now with `rondo train {spec.model}`",
    )


def _in_flight(history: History) -> Skip | None:
    run = next((run for run in history.runs if run.state in IN_FLIGHT and _fits(run)), None)
    if run is None:
        return None
    return Skip(SkipReason.IN_FLIGHT, f"{run.id} is {run.state}, for {run.trigger.kind} {run.trigger.id}", run.id)


def _breaker(trigger: Trigger, spec: ModelSpec, history: History) -> Skip | None:
    """Return the skip of the circuit breaker, which three failed runs of the spec in force open.

    A new spec or any success closes it. A failed manual run does not count: it may ask for a time without data, unlike
    a finding.
    """
    ended = [run.state for run in history.runs if run.spec_digest == spec.digest and _counts(run)]
    if trigger.kind == TriggerKind.MANUAL or ended[:BREAKER_FAILURES] != ["failed"] * BREAKER_FAILURES:
        return None
    return Skip(
        SkipReason.BREAKER_OPEN,
        f"the last {BREAKER_FAILURES} automatic runs of this spec failed: see why with `rondo runs`, then apply a"
        " corrected spec, or train by hand",
    )


def _cooldown(trigger: Trigger, spec: ModelSpec, history: History) -> Skip | None:
    """Return the skip during the cooldown after a run that trained.

    Failed runs do not count: the finding is still true after a failure, and the breaker bounds the attempts.
    """
    trained = [run for run in history.runs if run.state == "trained" and _fits(run)]
    recent = next((run for run in trained if abs(trigger.at - run.trigger.at) < spec.retrain.cooldown), None)
    if trigger.kind == TriggerKind.MANUAL or recent is None:
        return None
    cooldown = format_duration(spec.retrain.cooldown)
    return Skip(
        SkipReason.COOLDOWN, f"{recent.id} trained at {recent.trigger.at:%Y-%m-%d %H:%M}, less than {cooldown} before"
    )


def _budget(trigger: Trigger, spec: ModelSpec, history: History) -> Skip | None:
    budget = spec.retrain.budget_per_week
    used = sum(_counts(run) and abs(trigger.at - run.trigger.at) < WEEK for run in history.runs)
    if trigger.kind == TriggerKind.MANUAL or used < budget:
        return None
    return Skip(
        SkipReason.BUDGET, f"{used} of {budget} runs of this week are used: raise retrain.budget_per_week, or wait"
    )


def _counts(run: PastRun) -> bool:
    """Return whether an ended run counts for breaker and budget: it trained, or it was automatic and failed."""
    if not _fits(run):
        return False
    return run.state == "trained" or (run.state == "failed" and run.trigger.kind != TriggerKind.MANUAL)


def _fits(run: PastRun) -> bool:
    return run.trigger.kind != TriggerKind.REGISTRATION
