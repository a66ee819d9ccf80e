"""Chooses the training window: plans the strategies that are fitted and scored, and decides which of them leads.

`plan_comparison` or `plan_confirmation` plans, the caller fits and scores, and `choose_leader` or `decide_window_start`
decides. Times are whole numbers of one unit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rondo.trainer.adaptation import confirmation, holdout
from rondo.trainer.adaptation.growth import chunk_rows
from rondo.trainer.adaptation.label_autocorrelation import dependent_rows
from rondo.trainer.adaptation.record import Comparison, chunk_scores, lead, worse_from
from rondo.trainer.adaptation.strategies import ALL, CHAMPION, SINCE, WINDOW, Strategy, strategies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.trainer.adaptation.confirmation import Confirmation
    from rondo.trainer.adaptation.holdout import HeldOut
    from rondo.trainer.adaptation.record import ChunkScore

# Older chunks count less than a thousandth.
KEPT_CHUNKS = 64


@dataclass(frozen=True)
class ScoredChunk:
    """The scores of a chunk by strategy. Its rows have event times from `since` to `until`."""

    since: int
    until: int
    scores: Mapping[str, ChunkScore]


@dataclass(frozen=True)
class Unconfirmed:
    """A suspected change at the time `since` that has not moved the window.

    At first too few rows follow the change. It is checked once there are `rows` labelled rows in total. If it is not
    confirmed, it is checked again once the rows since the change have doubled.
    """

    since: int
    rows: int


@dataclass(frozen=True)
class AdaptationState:
    """The state of a model between trainings.

    It has the number of rows of the first training, the start of the window, the leader, and the record of losses.
    `since` is None before any confirmed change, and `unconfirmed` is None if no suspected change waits for more rows.
    """

    first: int
    since: int | None = None
    leader: str = SINCE
    record: tuple[ScoredChunk, ...] = ()
    unconfirmed: Unconfirmed | None = None


@dataclass(frozen=True, eq=False)
class FitPlan:
    """The fits of a training: each of `strategies` is fitted to the rows before `held.fit`, and scored on the holdout.

    If they are not `compared`, the scores do not enter the record. `change` is the first row after a change that is
    suspected at the time `since`. It may be an earlier row, so that there are enough rows.
    """

    held: HeldOut
    strategies: tuple[Strategy, ...]
    compared: bool = True
    change: int | None = None
    since: int | None = None


@dataclass(frozen=True)
class Choice:
    """The scored strategy whose rows the training takes, the reasons, and the `state` afterwards.

    `keeps` is True if the champion is so much better that nothing replaces it. `worse_since` is the time since which
    the losses of the previous leader are higher than chance explains: a change is suspected then.
    """

    leader: str
    state: AdaptationState
    comparisons: tuple[Comparison, ...] = ()
    confirmation: Confirmation | None = None
    keeps: bool = False
    worse_since: int | None = None


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """The labelled rows: their sorted event times, how late a label is known, the number of features.

    `fades` is True if the estimator takes weights. The holdout has `least` rows at least, or the number `specified` by
    the spec. If the spec has a window (`fixed`), all rows are taken. A served model is fitted to `floor` rows at least.
    `labels` are as in `label_autocorrelation.dependent_rows`. Without them rows count as independent.
    """

    times: NDArray[np.int64]
    delay: int
    features: int
    fades: bool
    least: int = 0
    specified: int | None = None
    fixed: bool = False
    floor: int = 0
    labels: NDArray[np.float64] | NDArray[np.bool_] | None = None

    def first_since(self, since: int | None) -> int:
        """Return the first row of a window since a time. The window has `floor` rows at least, and never none."""
        if since is None:
            return 0
        return max(min(int(np.searchsorted(self.times, since, "left")), len(self.times) - max(self.floor, 1)), 0)

    def dependent(self, first: int, until: int) -> float:
        """Return the number of rows over which labels depend on each other, between the rows `first` and `until`."""
        return dependent_rows(None if self.labels is None else self.labels[:, first:until])


def plan_comparison(rows: LabelledRows, state: AdaptationState, fitted_until: int | None) -> FitPlan:
    """Return the plan of a training without a suspected change. `fitted_until` is as in `holdout.held_out`."""
    held = (
        holdout.held_out(rows.times, rows.delay, fitted_until, rows.least)
        if rows.specified is None
        else holdout.latest(rows.times, 0, rows.specified)
    )
    if rows.fixed:
        return FitPlan(held, (Strategy(ALL, 0),), compared=False)
    window = rows.first_since(state.since)
    # A large holdout that the spec asks for does not make all rows a young window.
    asked_for = rows.specified is not None and window == 0
    if asked_for or not holdout.is_young(window, held, len(rows.times)):
        return FitPlan(held, _strategies(rows, state, held.fit, window))
    if state.leader == SINCE:
        held = holdout.held_out_of_young(rows.times, window)
    return FitPlan(held, (leading_strategy(rows, state, held.fit),), compared=False)


def with_suspected_change(rows: LabelledRows, state: AdaptationState, since: int) -> AdaptationState:
    """Return the state with a suspected change at `since` that waits for more rows.

    The state stays as it is if the change has enough rows already, or is older than the window: the served model then
    has no rows from before the change.
    """
    if _is_old(rows, state, since) or not _is_inside(rows, state, since):
        return state
    found, other = _waiting(rows, state, since), state.unconfirmed
    return state if other is not None and other.rows < found.rows else replace(state, unconfirmed=found)


def change_to_confirm(rows: LabelledRows, state: AdaptationState, since: int | None) -> int | None:
    """Return the time of the change to check now: `since`, or that of a change that waited for more rows.

    A model of few rows is worse in any case. Without a second check the higher losses would become the level that later
    losses are compared with.
    """
    found = state.unconfirmed
    waited = found.since if found is not None and len(rows.times) >= found.rows else None
    return next((each for each in (since, waited) if each is not None and _is_old(rows, state, each)), None)


def plan_confirmation(rows: LabelledRows, state: AdaptationState, since: int) -> FitPlan:
    """Return the plan to check a suspected change: fits to the rows since the change, and to the whole window."""
    window = rows.first_since(state.since)
    change = max(confirmation.window_start(rows.times, since, rows.features), window)
    dependent, young = rows.dependent(window, change), len(rows.times) - change
    # There is no gap for the label delay, because it would take the rows since the change.
    held = holdout.latest(rows.times, 0, confirmation.held_back(young, chunk_rows(state.first), dependent))
    held = holdout.HeldOut(max(held.start - confirmation.gap(young, dependent), 0), held.start)
    found = (Strategy(SINCE, change), Strategy(WINDOW, window))
    return FitPlan(held, found, compared=False, change=change, since=since)


def leading_strategy(rows: LabelledRows, state: AdaptationState, until: int) -> Strategy:
    """Return the leader's strategy for the first `until` rows, or the strategy of the window if they are too few."""
    if rows.fixed:
        return Strategy(ALL, 0)
    window = min(rows.first_since(state.since), max(until - 1, 0))
    found = _strategies(rows, state, until, window)
    return next((each for each in found if each.name == state.leader), found[0])


def _strategies(rows: LabelledRows, state: AdaptationState, until: int, window: int) -> tuple[Strategy, ...]:
    return strategies(until, window, rows.features, state.first, fades=rows.fades, floor=rows.floor)


def strategy_for_all_rows(rows: LabelledRows, plan: FitPlan, choice: Choice) -> Strategy:
    """Return the strategy of a choice for all rows, the holdout included, under the name that was scored.

    If only one of the two models that check a change was scored, nothing is confirmed, and its rows are taken.
    """
    if plan.change is not None and choice.confirmation is None:
        (scored,) = (each for each in plan.strategies if each.name == choice.leader)
        return replace(scored, name=SINCE)
    name = SINCE if choice.leader == WINDOW else choice.leader
    return leading_strategy(rows, replace(choice.state, leader=name), len(rows.times))


def choose_leader(
    rows: LabelledRows, state: AdaptationState, plan: FitPlan, losses: Mapping[str, NDArray[np.float64]]
) -> Choice:
    """Return which strategy leads by the losses of the holdout. The champion may be among those that were scored."""
    if (since := change_to_confirm(rows, state, None)) is not None:
        # Its models could not be fitted, so the change waits for more rows again.
        state = replace(state, unconfirmed=_waiting(rows, state, since))
    if not plan.compared:
        return Choice(plan.strategies[0].name, state)
    added = _chunks(rows, state, plan, losses)
    # The holdout repeats rows of the record if the previous candidate was not promoted.
    earlier = (each for each in state.record if each.until < added[0].since)
    record = (*earlier, *added)[-KEPT_CHUNKS:]
    scores = [each.scores for each in record]
    dependent = rows.dependent(rows.first_since(state.since), plan.held.start)
    names = [each.name for each in plan.strategies]
    led = state.leader if state.leader in names else names[0]
    found = lead(scores, led, names, dependent)
    against = lead(scores, found.leader, [CHAMPION], dependent)
    keeps = against.leader == CHAMPION
    # If the champion does well, the new fits are worse for another reason: the spec may have changed.
    since = None if keeps else _worse_since(rows, plan, led, record[: -len(added)], added, dependent)
    known = replace(state, leader=found.leader, record=record)
    if since is not None:
        known = with_suspected_change(rows, known, since)
    comparisons = (*found.comparisons, *against.comparisons)
    return Choice(found.leader, known, comparisons, keeps=keeps, worse_since=change_to_confirm(rows, state, since))


def decide_window_start(
    rows: LabelledRows, state: AdaptationState, plan: FitPlan, losses: Mapping[str, NDArray[np.float64]]
) -> Choice:
    """Decide whether the window begins with the change from now on. In both cases the record starts over."""
    assert plan.change is not None and plan.since is not None  # noqa: S101, PT018 - the caller's condition
    dependent = rows.dependent(rows.first_since(state.since), plan.change)
    found = confirmation.confirm(losses[SINCE], losses[WINDOW], dependent)
    if found.moves:
        return Choice(SINCE, AdaptationState(state.first, int(rows.times[plan.change])), confirmation=found)
    again = _waiting(rows, state, plan.since)
    return Choice(WINDOW, AdaptationState(state.first, state.since, unconfirmed=again), confirmation=found)


def _is_old(rows: LabelledRows, state: AdaptationState, since: int) -> bool:
    """Return whether there are enough rows since a change to check it, and the window has rows before it."""
    enough = len(rows.times) - int(np.searchsorted(rows.times, since, "left")) >= _wanted(rows, state, since)
    return enough and _is_inside(rows, state, since)


def _is_inside(rows: LabelledRows, state: AdaptationState, since: int) -> bool:
    """Return whether the window has rows before a change."""
    return rows.first_since(state.since) < int(np.searchsorted(rows.times, since, "left"))


def _wanted(rows: LabelledRows, state: AdaptationState, since: int) -> int:
    """Return the number of rows since a change from which it is checked."""
    window, change = rows.first_since(state.since), int(np.searchsorted(rows.times, since, "left"))
    return confirmation.rows_before_look(rows.dependent(window, change), change - window, rows.floor)


def _waiting(rows: LabelledRows, state: AdaptationState, since: int) -> Unconfirmed:
    """Return a change that is checked once it has enough rows, or again once these have doubled."""
    count, wanted = len(rows.times) - int(np.searchsorted(rows.times, since, "left")), _wanted(rows, state, since)
    return Unconfirmed(since, len(rows.times) + (wanted - count if count < wanted else count))


def _worse_since(
    rows: LabelledRows,
    plan: FitPlan,
    led: str,
    before: Sequence[ScoredChunk],
    added: Sequence[ScoredChunk],
    dependent: float,
) -> int | None:
    old, new = ([each.scores[led] for each in chunks if led in each.scores] for chunks in (before, added))
    share = worse_from(old, new, dependent)
    if share is None:
        return None
    start = plan.held.start
    return int(rows.times[start + int(share * (len(rows.times) - start))])


def _chunks(
    rows: LabelledRows, state: AdaptationState, plan: FitPlan, losses: Mapping[str, NDArray[np.float64]]
) -> tuple[ScoredChunk, ...]:
    times = rows.times[plan.held.start :]
    parts = {name: chunk_scores(each, chunk_rows(state.first)) for name, each in losses.items()}
    found, start = [], 0
    for chunk in zip(*parts.values(), strict=True):
        end = start + chunk[0].rows
        found.append(ScoredChunk(int(times[start]), int(times[end - 1]), dict(zip(parts, chunk, strict=True))))
        start = end
    return tuple(found)
