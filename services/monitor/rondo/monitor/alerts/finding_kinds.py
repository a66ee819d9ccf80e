"""The kind of finding that an alarm belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.evidence.component_sums import DETECTORS, LOSS, SLICES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rondo.monitor.evidence.component_tests.watched import Alarm

FindingKind = Literal["drift", "performance", "slices", "quality", "detectors"]
FINDING_KINDS: tuple[FindingKind, ...] = ("drift", "performance", "slices", "quality", "detectors")
_OF_DISTRIBUTION = {StatisticName.LEVEL, StatisticName.SPREAD}
_OF_VALUES = {StatisticName.MISSING, StatisticName.UNSEEN, StatisticName.OUT_OF_RANGE}


def by_kind(alarms: Sequence[Alarm]) -> dict[FindingKind, list[Alarm]]:
    """Return the alarms of each kind, in their order.

    A shift of ordinary values leaves the range of the training, too. So numbers out of range are part of the drift of
    their feature where its level or spread has an alarm, and a fault of the data where they alone have changed.
    """
    drifted = {
        each.component.column for each in alarms if _is_input(each) and each.component.statistic in _OF_DISTRIBUTION
    }
    found: dict[FindingKind, list[Alarm]] = {kind: [] for kind in FINDING_KINDS}
    for each in alarms:
        found[_kind_of(each, drifted)].append(each)
    return found


def has_range(alarms: Sequence[Alarm]) -> bool:
    """Return whether one of the alarms is about numbers out of range."""
    return any(each.component.statistic == StatisticName.OUT_OF_RANGE for each in alarms)


def _kind_of(alarm: Alarm, drifted: Collection[str | None]) -> FindingKind:
    component = alarm.component
    if component.group == LOSS:
        return "performance"
    if component.group == SLICES:
        return "slices"
    if component.group == DETECTORS:
        return "detectors"
    if not _is_input(alarm) or component.statistic not in _OF_VALUES:
        return "drift"
    return "drift" if component.statistic == StatisticName.OUT_OF_RANGE and component.column in drifted else "quality"


def _is_input(alarm: Alarm) -> bool:
    return alarm.component.group == "inputs"
