"""Decides from the reports of the replicas whether a refused version or the refusing replica is at fault.

A replica that can't load a version reports it within milliseconds, long before other replicas have loaded it. Therefore
a single refusal does not roll back: a version that any replica serves stays, and otherwise the decision waits for every
replica.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rondo.contracts.vocabularies import ReplicaState
from rondo.registry.rollout.rollback import previous

if TYPE_CHECKING:
    from collections.abc import Collection

    from rondo.contracts.events.deployment import ReplicaChanged
    from rondo.registry.model.model import Model, Version

ReplicaReports = tuple["ReplicaChanged", ...]
# Replicas disappear without a report. A replica without a report for this many deployments counts as gone.
GONE_AFTER_REVISIONS = 10


@dataclass(frozen=True)
class RollbackDecision:
    """The decision after a refusal, and its reason. For `roll_back`, `target` is the version to go back to."""

    outcome: Literal["keep", "wait", "roll_back"]
    why: str
    target: Version | None = None


def merge_report(reports: ReplicaReports, news: ReplicaChanged) -> ReplicaReports:
    """Return the latest report of each replica on each version of a model, after one more report."""
    if news.state not in list(ReplicaState):
        return reports
    known = {(report.replica, report.model_version): report for report in reports}
    key = (news.replica, news.model_version)
    if key in known and not _supersedes(known[key], news):
        return reports
    if news.state == ReplicaState.AVAILABLE:
        # The replica has swapped, so its reports on earlier deployments are obsolete.
        known = {k: report for k, report in known.items() if k[0] != news.replica or report.revision >= news.revision}
    known.pop(key, None)
    if news.state != ReplicaState.UNLOADED:
        known[key] = news
    recent = (report for report in known.values() if report.revision >= news.revision - GONE_AFTER_REVISIONS)
    return tuple(sorted(recent, key=lambda report: (report.replica, report.model_version)))


def is_current(model: Model, report: ReplicaChanged) -> bool:
    """Return whether a report is about the champion of the current deployment."""
    champion = model.champion
    return champion is not None and (report.revision, report.model_version) == (model.revision, champion.number)


def missing_replicas(model: Model, reports: ReplicaReports) -> frozenset[str]:
    """Return the replicas that have not reported yet whether they serve the current deployment."""
    reported = {
        r.replica for r in reports if is_current(model, r) and r.state in (ReplicaState.AVAILABLE, ReplicaState.REFUSED)
    }
    return frozenset(report.replica for report in reports) - reported


def decide_rollback(model: Model, reports: ReplicaReports, awaited: Collection[str]) -> RollbackDecision:
    """Decide whether to roll back a champion that at least one replica refuses. `awaited` have not reported yet.

    A champion without an earlier version stays. A withdrawal has no use, because a replica that refuses it answers
    requests with the reason, and a replica that can load it later serves it.
    """
    champion, target = model.champion, previous(model)
    serves = [r.replica for r in reports if is_current(model, r) and r.state == ReplicaState.AVAILABLE]
    if champion is None:
        return RollbackDecision("keep", "no version should serve")
    if serves:
        return RollbackDecision("keep", f"it is available at {', '.join(serves)}: repair the replica that refuses it")
    if champion.number in model.served[:-1]:
        return RollbackDecision("keep", "it has served before: repair the replicas, or restore its artifact")
    if target is None:
        return RollbackDecision(
            "keep", "there is no earlier version to go back to: repair the replicas, or train again"
        )
    if awaited:
        return RollbackDecision("wait", f"{', '.join(sorted(awaited))} may be able to load it")
    return RollbackDecision("roll_back", f"no replica can load it: version {target.number} takes over", target)


def _supersedes(known: ReplicaChanged, news: ReplicaChanged) -> bool:
    """Return whether a report replaces the stored one. A report on an earlier deployment, or a retry, does not."""
    if news.revision != known.revision:
        return news.revision > known.revision
    return known.state != ReplicaState.REFUSED or news.state not in (ReplicaState.LOADING, ReplicaState.REFUSED)
