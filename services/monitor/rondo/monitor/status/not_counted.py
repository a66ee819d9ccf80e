"""Texts about rows and outcomes that count in no window, or only in the figures of their window."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHY = {
    "late_rows": "requests came after their window had closed: they are in no figure",
    "implausible_rows": "requests have an event time that can't be right: they are in no figure",
    "undated_rows": "requests have no event time, among others that have one: they are in no figure",
    "unprofiled": "requests were answered by a version without a reference: they are in no figure",
    "evicted_rows": "requests were discarded while they waited for the reference of their version",
    "late_outcomes": "outcomes came after the window of their prediction had closed: raise `data.label_delay`",
    "implausible_outcomes": "outcomes have a time that can't be right",
    "evicted_outcomes": "predictions or outcomes were discarded before the other one came",
    "evicted_compared": "requests of a rollout were discarded before their outcome came",
}
_LATE_FOR_EVIDENCE = (
    "requests came after the end of their step: they are in the figures of their window, and no evidence"
)


def not_counted(dropped: Mapping[str, int], late_for_evidence: int) -> tuple[str, ...]:
    """Return a line for each reason that has occurred. `dropped` counts by the names of `dropped_rows.REASONS`."""
    found = [(dropped.get(reason, 0), why) for reason, why in _WHY.items()]
    found.insert(1, (late_for_evidence, _LATE_FOR_EVIDENCE))
    return tuple(f"{count:,} {why}" for count, why in found if count)
