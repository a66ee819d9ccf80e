"""Describes the rows that a training took and the reasons, with the figures of all strategies, for the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.training import Adaptation, StrategyScore
from rondo.trainer.adaptation.growth import GAINED_NOTHING, GROWTH
from rondo.trainer.adaptation.strategies import CHAMPION, FADING, SINCE, WINDOW
from rondo.trainer.dataset.columns import from_micros

if TYPE_CHECKING:
    from rondo.trainer.adaptation.record import Comparison
    from rondo.trainer.fitting.choose import Chosen


def report(chosen: Chosen, *, refitted: bool) -> Adaptation:
    """Describe a choice. A `refitted` model is fitted to all rows of its strategy, the holdout included."""
    planned, choice = chosen.planned, chosen.choice
    held, rows = planned.fit_plan.held, planned.rows.height
    first = chosen.served.first if refitted else chosen.first
    window = choice.state.since
    return Adaptation(
        strategy=CHAMPION if choice.keeps else _name(choice.leader),
        rows=(rows if refitted else held.fit) - first,
        since=from_micros(int(planned.at.times[first])),
        half_life=chosen.served.half_life,
        refitted=refitted,
        gap_rows=held.gap,
        window_start=None if window is None else from_micros(window),
        suspected_since=planned.since,
        scores=tuple(_scores(chosen)),
        reason=_reason(chosen) + _of_waiting(chosen) + _of_growth(chosen),
    )


def _scores(chosen: Chosen) -> list[StrategyScore]:
    beside = {each.strategy: each for each in chosen.choice.comparisons}
    found = []
    for name, loss in chosen.losses.items():
        against = beside.get(name)
        figures = {} if against is None else {
            "advantage": against.advantage, "error": against.error, "needed": against.needed,
        }  # fmt: skip
        # The champion's rows are those of an earlier training.
        found.append(StrategyScore(strategy=name, rows=chosen.fitted.get(name, 0), loss=loss, **figures))
    return found


def _reason(chosen: Chosen) -> str:
    planned, choice = chosen.planned, chosen.choice
    if choice.confirmation is not None:
        return _of_confirmation(chosen)
    if planned.at.fixed:
        return "`trainer.window` decides which rows are taken"
    if planned.fit_plan.change is not None:
        since = from_micros(int(planned.at.times[chosen.served.first]))
        return f"the rows since {since:%Y-%m-%d %H:%M}: no other model of the suspected change could be fitted"
    if not planned.fit_plan.compared:
        return f"{_rows_of(chosen)}: they have just become the window, and are not compared yet"
    return _of_comparison(chosen)


def _of_comparison(chosen: Chosen) -> str:
    led, choice = chosen.planned.state.leader, chosen.choice
    beside = {each.strategy: each for each in choice.comparisons}
    if choice.keeps:
        return f"the champion is kept: its loss per row is {_lower(beside[CHAMPION])} than that of new fits"
    if choice.leader in beside:
        return f"{_rows_of(chosen)} lead instead of {led}: their loss per row is {_lower(beside[choice.leader])}"
    others = [each for name, each in beside.items() if name != CHAMPION]
    if not others:
        return f"{_rows_of(chosen)}: there is nothing to compare them with yet"
    best = max(others, key=lambda each: each.advantage - each.needed)
    differs = _lower(best) if best.advantage > 0 else f"{abs(best.advantage):.4f} higher"
    return f"{_rows_of(chosen)} lead: the loss per row of {best.strategy}, the next strategy, is {differs}"


def _of_confirmation(chosen: Chosen) -> str:
    confirmed, planned = chosen.choice.confirmation, chosen.planned
    assert confirmed is not None  # noqa: S101 - the caller's condition
    rows = planned.rows.height - planned.fit_plan.held.start
    gain = f"{confirmed.advantage:+.4f} with a standard error of {confirmed.error:.4f} on the {rows:,} newest rows"
    if confirmed.moves:
        return f"the window begins with the suspected change: a model without the rows before it gains {gain}"
    return f"the window stays: a model without the rows before the suspected change gains {gain}"


def _of_waiting(chosen: Chosen) -> str:
    """Return a sentence about the change that waits for more rows."""
    waiting = chosen.choice.state.unconfirmed
    if waiting is None:
        return ""
    since = f"{from_micros(waiting.since):%Y-%m-%d %H:%M}"
    return f"; a change that is suspected since {since} is looked into with {waiting.rows:,} labelled rows"


def _of_growth(chosen: Chosen) -> str:
    """Return a sentence that the next training waits for more rows than usual."""
    if chosen.next_growth is None or chosen.next_growth <= GROWTH:
        return ""
    return f"; {GAINED_NOTHING}, the next training follows {chosen.next_growth:.0%} more labelled rows"


def _lower(found: Comparison) -> str:
    return f"{found.advantage:.4f} lower ({found.needed:.4f} is needed)"


def _rows_of(chosen: Chosen) -> str:
    """Return the rows of the leader as text."""
    window = chosen.choice.state.since
    match chosen.choice.leader:
        case name if name == SINCE and window is not None:
            return f"the rows since {from_micros(window):%Y-%m-%d %H:%M}"
        case name if name == SINCE:
            return "all rows"
        case name if name == FADING:
            return "fading rows"
        case name:
            return f"{name} rows"


def _name(leader: str) -> str:
    return SINCE if leader == WINDOW else leader
