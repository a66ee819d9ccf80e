"""The status of the comparison of served with published values."""

from __future__ import annotations

from rondo.contracts.events.base import Value
from rondo.contracts.events.data import SkewExample
from rondo.contracts.times import Utc
from rondo.monitor.quality.skew import ServedSkew, shares


class FeatureSkewStatus(Value):
    """A feature with `differing` values in `cases` cases. `skewed` is true if these are more than corrections."""

    feature: str
    cases: int
    differing: int
    skewed: bool
    largest: tuple[SkewExample, ...]


class SkewStatus(Value):
    """The newest `batches` that were compared, from the event time `since` until `until`.

    `served` is the number of predictions in that time. `cases` is the number of those that have the entity and event
    time of a published row.
    """

    batches: int
    since: Utc
    until: Utc
    served: int
    cases: int
    features: tuple[FeatureSkewStatus, ...]


def skew_status(measured: ServedSkew) -> SkewStatus | None:
    """Return the status, or None if no batch has event times of predictions."""
    batches = measured.batches
    if not batches:
        return None
    return SkewStatus(
        batches=len(batches),
        since=min(each.event_time_from for each in batches),
        until=max(each.event_time_to for each in batches),
        served=sum(each.served for each in batches),
        cases=measured.cases,
        features=tuple(
            FeatureSkewStatus(
                feature=each.feature,
                cases=each.cases,
                differing=each.differing,
                skewed=each.is_skewed,
                largest=each.largest,
            )
            for each in shares(batches)
        ),
    )
