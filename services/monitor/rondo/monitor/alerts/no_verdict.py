"""The reasons why a version can't be judged yet, as text for people, and the alert when that lasts.

The alert opens if a part of a version is still not judged once the version has had as many rows as its reference, or
once a week and twice the expected time by the rows of a week have passed. The cause is that the rows of the reference
are correlated over too long a time, or that too few rows or outcomes arrive. A version without any outcome raises no
alert for its performance: `quality/streams.py` reports that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.alerts import findings
from rondo.monitor.evidence.block_length import SHORTEST
from rondo.monitor.evidence.component_sums import INPUT_GROUPS, LOSS, SLICES
from rondo.monitor.evidence.verdicts import expected_at, verdicts
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rondo.monitor.alerts.findings import Announcement, Subject
    from rondo.monitor.evidence.component_sums import Group
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.evidence.verdicts import Verdict
    from rondo.monitor.evidence.version_evidence import VersionEvidence

NO_REFERENCE = "its evidence has no blocks to compare with: train it again"
NO_ROWS = "no rows yet"
NO_OUTCOMES = "no outcomes yet"
NO_LOSS = "its holdout had no outcomes to compare with"
TITLES = {
    "no_verdict": "inputs still can't be judged",
    "no_performance_verdict": "its performance still can't be judged",
}
_NEVER = (
    "can't be judged: the values follow a cycle or trend that is longer than the training data; train on more than one "
    "whole cycle"
)
_ADVICE = (
    "Until then a change goes unnoticed. A column whose values are correlated over many rows needs training data of a "
    "longer time; outcomes that arrive late need a longer `data.label_delay`."
)


def no_verdict(evidence: VersionEvidence | None, reference: Reference, false_alarm_rate: float) -> str | None:
    """Return what is not judged yet and what is missing, such as `336 of about 500 rows for temp`.

    None if everything is judged, or if waiting does not help (see `out_of_reach`).
    """
    if reference.profile.feature_blocks is None:
        return NO_REFERENCE
    if evidence is None or not evidence.taken["inputs"].rows:
        return NO_ROWS
    parts = (inputs(evidence, false_alarm_rate), performance(evidence, reference, false_alarm_rate))
    return "; ".join(part for part in parts if part) or None


def inputs(evidence: VersionEvidence, false_alarm_rate: float) -> str | None:
    """Return which inputs and outputs are not judged yet. None if all are, except those that are out of reach."""
    found = [each for each in verdicts(evidence, false_alarm_rate, INPUT_GROUPS) if _waits(each)]
    if not found:
        return None
    first = max(found, key=lambda each: each.missing)
    alike = [each for each in found if each.missing == first.missing]
    fewer = f"; fewer for {len(found) - len(alike)} more" if len(found) > len(alike) else ""
    slow = f" (values are correlated over {first.block:,} rows)" if first.extending and first.block > SHORTEST else ""
    return f"{_progress(first, 'rows')} for {names([each.column for each in alike])}{slow}{fewer}"


def performance(evidence: VersionEvidence, reference: Reference, false_alarm_rate: float) -> str | None:
    """Return why the losses are not judged yet. None if they are, or if waiting does not help."""
    if reference.profile.loss is None:
        return NO_LOSS
    found = verdicts(evidence, false_alarm_rate, [LOSS])
    if not found and not evidence.taken[LOSS].rows:
        return NO_OUTCOMES
    return next((_progress(each, "outcomes") for each in found if _waits(each)), None)


def unjudged_slices(evidence: VersionEvidence, false_alarm_rate: float) -> str | None:
    """Return which slices are not judged yet, such as `slice city=c: 12 of about 300 outcomes`. None if all are.

    No alert reports these slices, and the other slices are judged without them.
    """
    found = [each for each in verdicts(evidence, false_alarm_rate, [SLICES]) if _waits(each)]
    if not found:
        return None
    first = max(found, key=lambda each: each.missing)
    more = len(found) - 1
    others = f"; {more} more {'slice waits' if more == 1 else 'slices wait'}" if more else ""
    name = f"{first.column}={first.value or '(missing)'}"
    return f"slice {name}: {first.rows:,} of about {first.needed:,} outcomes{others}"


def out_of_reach(
    evidence: VersionEvidence, false_alarm_rate: float, groups: Sequence[Group] = (*INPUT_GROUPS, LOSS)
) -> str | None:
    """Return the columns that can't be judged however long one waits, why, and what helps. None if there are none."""
    found = [each for each in verdicts(evidence, false_alarm_rate, groups) if each.out_of_reach and not each.judged]
    return f"{names([each.column for each in found])} {_NEVER}" if found else None


def names(columns: Sequence[str | None]) -> str:
    """Return the first column and the number of the others, as text. None stands for the loss."""
    first = "the performance" if columns[0] is None else columns[0]
    return f"{first} and {len(columns) - 1} more" if len(columns) > 1 else first


def overdue(
    evidence: VersionEvidence, reference: Reference, false_alarm_rate: float, groups: Sequence[Group], end: int
) -> str | None:
    """Return what is still not judged after as many rows as the reference has, or after it was due.

    None if there is nothing. `end` is the end of the window, in microseconds.
    """
    loss, rows = reference.profile.loss, reference.profile.rows
    enough = {"inputs": rows, "outputs": rows, LOSS: loss.rows * len(loss.means) if loss else 0}
    late = [
        each
        for each in verdicts(evidence, false_alarm_rate, groups)
        if not each.judged and (each.rows >= enough[each.group] > 0 or end > evidence.due.get(each.group, end))
    ]
    if not late:
        return None
    waits = performance(evidence, reference, false_alarm_rate) if LOSS in groups else inputs(evidence, false_alarm_rate)
    never = out_of_reach(evidence, false_alarm_rate, groups)
    return "; ".join(filter(None, (waits, never, _missed(evidence, late, end)))) or None


def _missed(evidence: VersionEvidence, late: Sequence[Verdict], end: int) -> str | None:
    """Return the time at which the overdue groups were due, as text. None if no group is overdue."""
    due = [evidence.due[each.group] for each in late if end > evidence.due.get(each.group, end)]
    return f"it was due by {to_time(max(due)):%Y-%m-%d %H:%M} UTC" if due else None


def raised(name: str, subject: Subject, reason: str, at: datetime) -> Announcement:
    """Build the alert that something can't be judged. `name` is a key of `VersionAlarms.unjudged`."""
    return findings.warning(subject, name, TITLES[name], f"{reason}. {_ADVICE}", at)


def _waits(verdict: Verdict) -> bool:
    return not verdict.judged and not verdict.out_of_reach


def _progress(verdict: Verdict, what: str) -> str:
    taken = verdict.taken
    at = expected_at(verdict.missing, taken.rows, taken.first, taken.last)
    expected = f", expected on {to_time(at):%Y-%m-%d %H:%M} UTC" if at is not None else ""
    return f"{verdict.rows:,} of about {verdict.needed:,} {what}{expected}"
