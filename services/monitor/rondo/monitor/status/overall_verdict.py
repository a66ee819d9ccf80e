"""One sentence about a model. It can be understood without knowledge of statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rondo.chassis.profiles.projections import is_projection
from rondo.contracts.events.base import Value
from rondo.contracts.vocabularies import Harm
from rondo.monitor.alerts.no_verdict import names
from rondo.monitor.evidence.component_sums import DETECTORS, GAPS, INPUT_GROUPS, SLICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.monitor.estimates.expected_harm import ExpectedHarm
    from rondo.monitor.status.column_status import ColumnStatus

VerdictState = Literal["worse", "changed", "no_change", "partly_judged", "not_judged"]
"""In the order of urgency. The last two state that a part, or nothing, can be judged."""


class OverallVerdict(Value):
    """The verdict on a model: `sentence` is for people, and `state` classifies it.

    A model that is `worse` predicts worse than on its holdout, overall or for slices. With `changed` only its inputs or
    predictions have changed. With `partly_judged` no change is evident in the part that can be judged.
    """

    state: VerdictState
    sentence: str


def overall_verdict(
    model: str,
    version: int | None,
    columns: Sequence[ColumnStatus],
    no_verdict: str | None,
    expected: ExpectedHarm | None = None,
) -> OverallVerdict:
    """Return the verdict. `no_verdict` is what can't be judged yet, None if all is judged except what is out of reach.

    `expected` is the evidence for and against harm since inputs or predictions have changed.
    """
    if version is None:
        return OverallVerdict(state="not_judged", sentence=f"No version of {model} serves yet.")
    loss = next((each for each in columns if each.group == "loss"), None)
    changed = [each for each in columns if each.changed and each.group in INPUT_GROUPS]
    slices = [each for each in columns if each.changed and each.group == SLICES]
    whole = f"{model} (version {version})"
    if loss is not None and loss.changed:
        also = f"; {_what(changed, columns)} {_has(changed)} changed, too" if changed else ""
        sentence = f"{whole} predicts worse than on its holdout, {_since([loss])}{also}."
        return OverallVerdict(state="worse", sentence=sentence)
    if slices:
        also = f"; {_what(changed, columns)} {_has(changed)} changed, too" if changed else ""
        where = f"{slices[0].name}{f' and {len(slices) - 1} more slices' if len(slices) > 1 else ''}"
        sentence = f"{whole} predicts worse than on its holdout for {where}, {_since(slices)}{also}."
        return OverallVerdict(state="worse", sentence=sentence)
    if changed:
        judged = loss is not None and loss.judged
        but = "but it does not evidently predict worse" if judged else "and whether it predicts worse is not judged yet"
        sentence = f"{_what(changed, columns)} of {whole} {_has(changed)} changed, {_since(changed)}, {but}."
        sentence += _expectation(expected) if expected else ""
        return OverallVerdict(state="changed", sentence=sentence[0].upper() + sentence[1:])
    return _by_blocks(whole, columns) or _unchanged(whole, columns, no_verdict)


def _by_blocks(whole: str, columns: Sequence[ColumnStatus]) -> OverallVerdict | None:
    """Return the verdict if gaps between groups, or figures of the user's own detectors, have changed."""
    gaps = [each for each in columns if each.changed and each.group == GAPS]
    own = [each for each in columns if each.changed and each.group == DETECTORS]
    if gaps:
        more = f" and {len(gaps) - 1} more gaps" if len(gaps) > 1 else ""
        sentence = f"The gap between groups of {whole} has changed, {_since(gaps)}: {gaps[0].name}{more}."
        return OverallVerdict(state="changed", sentence=sentence)
    if own:
        figures = f"{own[0].name}{f' and {len(own) - 1} more figures' if len(own) > 1 else ''}"
        sentence = (
            f"Your own detector shows a change of {whole}, {_since(own)}: {figures}. No other evidence shows one."
        )
        return OverallVerdict(state="changed", sentence=sentence)
    return None


_HARM = {
    Harm.LIKELY: "harm is likely",
    Harm.NONE: "no harm is to be expected",
    Harm.UNCERTAIN: "whether that harms is uncertain",
}


def _expectation(expected: ExpectedHarm) -> str:
    if expected.harm is None:
        return ""
    is_slight = expected.harm == Harm.NONE and expected.reliance is not None and expected.reliance.is_slight
    relies = " The model hardly relies on what has changed." if is_slight else ""
    if (loss := expected.loss) is None:
        return f"{relies} {_HARM[expected.harm].capitalize()}."
    figures = f"{loss.value:.3f} ± {loss.error:.3f}, {loss.reference:.3f} on the holdout"
    return f"{relies} The estimated loss is {figures}: {_HARM[expected.harm]}."


def _unchanged(whole: str, columns: Sequence[ColumnStatus], no_verdict: str | None) -> OverallVerdict:
    # A slice, a gap or a detector's figure that can't be judged is listed with the columns that are not judged. It does
    # not make the others less certain.
    columns = [each for each in columns if each.group not in {SLICES, GAPS, DETECTORS}]
    never = [each.column for each in columns if each.out_of_reach]
    if no_verdict is None and never:
        is_nothing = not any(each.judged for each in columns)
        start = f"Nothing can be said about {whole}:" if is_nothing else f"No change of {whole} is evident so far, but"
        sentence = f"{start} {names(never)} can't be judged with its training data."
        return OverallVerdict(state="not_judged" if is_nothing else "partly_judged", sentence=sentence)
    if no_verdict is None:
        sentence = f"No change of {whole} is evident: neither in its inputs and predictions nor in its performance."
        return OverallVerdict(state="no_change", sentence=sentence)
    if not any(each.judged for each in columns):
        return OverallVerdict(state="not_judged", sentence=f"Nothing can be said about {whole} yet: {no_verdict}.")
    sentence = f"No change of {whole} is evident so far, but not everything can be judged: {no_verdict}."
    return OverallVerdict(state="partly_judged", sentence=sentence)


def _what(changed: Sequence[ColumnStatus], columns: Sequence[ColumnStatus]) -> str:
    """Return what has changed, such as `2 of the 12 inputs and the predictions`.

    A projection that a changed input is a part of changes as well, so it adds no information.
    """
    features = sum(_is_feature(each) for each in columns)
    parts = [f"{count} of the {features} inputs"] if (count := sum(map(_is_feature, changed))) else []
    if not parts and any(each.group == "inputs" for each in changed):
        parts = ["the relation between the inputs"]
    parts += ["the predictions"] if any(each.group == "outputs" for each in changed) else []
    return " and ".join(parts)


def _is_feature(column: ColumnStatus) -> bool:
    return column.group == "inputs" and not is_projection(column.column)


def _has(changed: Sequence[ColumnStatus]) -> str:
    inputs_alone = all(each.group == "inputs" for each in changed)
    return "has" if inputs_alone and sum(map(_is_feature, changed)) <= 1 else "have"


def _since(changed: Sequence[ColumnStatus]) -> str:
    first = min(each.since for each in changed if each.since is not None)
    return f"most likely since {first:%-d %B %Y}"
