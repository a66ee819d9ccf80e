"""Train now, or not: one run in flight per model, a cooldown, a budget, and a breaker after failures.

Cooldown and budget count in event time, `trigger.at` against `trigger.at` of earlier runs, so that a replay of a year
in a minute decides as the year itself would. The distance is taken without its sign: findings may arrive out
of order, and a training by hand is stamped by the wall clock, which is far from a replay's event time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from rondo.contracts.spec.model import format_duration
from rondo.contracts.vocabularies import SkipReason, TriggerKind

if TYPE_CHECKING:
    from rondo.contracts.events.training import Trigger
    from rondo.contracts.spec.model import ModelSpec

RunState = Literal["queued", "running", "trained", "failed", "skipped"]
IN_FLIGHT: tuple[RunState, ...] = ("queued", "running")
# Three in a row is no accident any more: the next automatic one would fail, too.
BREAKER_FAILURES = 3
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class PastRun:
    """A run that was admitted before."""

    id: str
    trigger: Trigger
    spec_digest: str
    state: RunState


@dataclass(frozen=True)
class History:
    """The latest runs of one model, newest first; `ever_trained` also counts those before them."""

    runs: tuple[PastRun, ...] = ()
    ever_trained: bool = False


@dataclass(frozen=True)
class Start:
    """Train."""


@dataclass(frozen=True)
class Skip:
    """Don't, and say why; `run_id` is the run that does it instead."""

    reason: SkipReason
    detail: str
    run_id: str | None = None


@dataclass(frozen=True)
class Known:
    """This very trigger has had its run: whoever tells it again changes nothing, and nothing is to be said."""

    run_id: str


Decision = Start | Skip | Known


def admit(trigger: Trigger, spec: ModelSpec | None, history: History) -> Decision:
    """Decide whether a trigger starts a run. The first reason against it is the one that is told."""
    if known := next((run for run in history.runs if run.trigger.id == trigger.id), None):
        return Known(known.id)
    if spec is None:
        return Skip(
            SkipReason.NO_SPEC,
            "no spec of this model has come yet: if there is none, apply one with `rondo apply rondo.yaml`",
        )
    return (
        _not_subscribed(trigger, spec, history)
        or _in_flight(history)
        or _breaker(trigger, spec, history)
        or _cooldown(trigger, spec, history)
        or _budget(trigger, spec, history)
        or Start()
    )


def _not_subscribed(trigger: Trigger, spec: ModelSpec, history: History) -> Skip | None:
    first_data = trigger.kind == TriggerKind.DATA and not history.ever_trained
    scheduled = trigger.kind == TriggerKind.SCHEDULE and any(on.startswith("cron: ") for on in spec.retrain.on)
    if trigger.kind == TriggerKind.MANUAL or first_data or scheduled or trigger.kind in spec.retrain.on:
        return None
    subscribed = ", ".join(spec.retrain.on) or "nothing"
    return Skip(
        SkipReason.NOT_SUBSCRIBED, f"retrain.on lists {subscribed}, not {trigger.kind}: add it there to train on it"
    )


def _in_flight(history: History) -> Skip | None:
    run = next((run for run in history.runs if run.state in IN_FLIGHT), None)
    if run is None:
        return None
    return Skip(SkipReason.IN_FLIGHT, f"{run.id} is {run.state}, for {run.trigger.kind} {run.trigger.id}", run.id)


def _breaker(trigger: Trigger, spec: ModelSpec, history: History) -> Skip | None:
    """A new spec closes the breaker, for only runs of today's spec count; so does a success by hand."""
    ended = [run.state for run in history.runs if run.spec_digest == spec.digest and run.state in ("trained", "failed")]
    if trigger.kind == TriggerKind.MANUAL or ended[:BREAKER_FAILURES] != ["failed"] * BREAKER_FAILURES:
        return None
    return Skip(
        SkipReason.BREAKER_OPEN,
        f"the last {BREAKER_FAILURES} runs of this spec failed: see why in `rondo runs`, then apply a mended spec"
        " or train by hand",
    )


def _cooldown(trigger: Trigger, spec: ModelSpec, history: History) -> Skip | None:
    """Only what trained counts: after a failure the finding still stands, and the breaker bounds the tries."""
    trained = [run for run in history.runs if run.state == "trained"]
    recent = next((run for run in trained if abs(trigger.at - run.trigger.at) < spec.retrain.cooldown), None)
    if trigger.kind == TriggerKind.MANUAL or recent is None:
        return None
    cooldown = format_duration(spec.retrain.cooldown)
    return Skip(
        SkipReason.COOLDOWN, f"{recent.id} trained at {recent.trigger.at:%Y-%m-%d %H:%M}, less than {cooldown} away"
    )


def _budget(trigger: Trigger, spec: ModelSpec, history: History) -> Skip | None:
    budget = spec.retrain.budget_per_week
    used = sum(run.state in ("trained", "failed") and abs(trigger.at - run.trigger.at) < WEEK for run in history.runs)
    if trigger.kind == TriggerKind.MANUAL or used < budget:
        return None
    return Skip(
        SkipReason.BUDGET, f"{used} of {budget} runs of this week are used: raise retrain.budget_per_week, or wait"
    )
