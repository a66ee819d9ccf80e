"""The versions that answer beside the champion, a canary or a shadow, and the evidence about each of them.

Their inputs and predictions are compared with their own references, step by step like those of the champion. Evidence
of a change opens an alert, and no finding is published, because a finding starts a training as if the champion had
changed. Only the champion's rows advance event time, so a candidate changes no result about the champion. A version
that becomes the champion begins without this evidence, so it has its false-alarm rate once as a candidate and once as
the champion. Separately from this evidence, the results of both versions of a rollout on the same requests are
published for the registry, see `rollouts/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.tasks.registry import task_named
from rondo.contracts.vocabularies import RouteRole
from rondo.monitor.alerts import candidate_alerts
from rondo.monitor.evidence.model_evidence import ModelEvidence
from rondo.monitor.evidence.open_buckets import BucketedRows
from rondo.monitor.rollouts.compared_versions import ComparedVersions
from rondo.monitor.stream.log_messages import event_times
from rondo.monitor.stream.watermark import is_implausible
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rondo.monitor.alerts.candidate_alerts import CandidateAlert
    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.stream.log_messages import Predictions
    from rondo.monitor.stream.watermark import Watermark
    from rondo.monitor.windows.tumbling import TumblingWindows

CANDIDATE_ROLES = (RouteRole.CANARY, RouteRole.SHADOW)


@dataclass(frozen=True)
class Candidate:
    """A version of a model, and the digest of its artifact."""

    version: int
    digest: str


@dataclass
class Candidates:
    """The newest candidate of each role, the `evidence` about them, and the `compared` versions of a rollout.

    `alerts` are the open ones by role.
    """

    by_role: dict[str, Candidate] = field(default_factory=dict)
    evidence: ModelEvidence = field(default_factory=ModelEvidence)
    compared: ComparedVersions = field(default_factory=ComparedVersions)
    alerts: dict[str, CandidateAlert] = field(default_factory=dict)

    def count(self, batch: Predictions, reference: Reference, tumbling: TumblingWindows, passed: int) -> int:
        """Count rows of a canary or a shadow, unless a newer version has the role. `passed` is the present watermark.

        Returns how many rows that were kept for a comparison have been evicted.
        """
        evicted = self.compared.add(batch, task_named(reference.task.task).counted)
        if self._admits(batch):
            self._take(batch, reference, tumbling, passed)
        return evicted

    def _take(self, batch: Predictions, reference: Reference, tumbling: TumblingWindows, passed: int) -> None:
        times, made = event_times(batch.rows)
        late = tumbling.late_for_step(times, np.full(times.size, passed))
        self.evidence.late += int(late.sum())
        counted = ~late & ~is_implausible(times, made)
        if not counted.any():
            return
        starts, bins = tumbling.bucket_starts(times[counted]), reference.binning.bins(batch.rows)[:, counted]
        self.evidence.open.add_rows(batch.version, BucketedRows.of(starts, bins, reference.binning))

    @property
    def open_alerts(self) -> dict[str, str]:
        """The ids of the open alerts by kind. The kind is the role."""
        return {role: alert.alert_id for role, alert in self.alerts.items()}

    def look(
        self, model: str, references: Mapping[str, Reference], tumbling: TumblingWindows | None, watermark: Watermark,
        false_alarm_rate: float,
    ) -> tuple[bool, list[Announcement]]:  # fmt: skip
        """Take the steps that the watermark has passed.

        Returns whether a step has rows, and the alerts that open, or that end because a version has left its role.
        """
        published, looked = self.resolve(model, to_time(watermark.newest)), False
        for role, each in self.by_role.items():
            reference = references.get(each.digest)
            if reference is None or tumbling is None:
                continue
            for end, _ in self.evidence.close(each.version, reference, watermark.passed, tumbling.lengths):
                looked, evidence = True, self.evidence.versions[each.version]
                if role in self.alerts:
                    continue
                found = candidate_alerts.raised(model, role, each.version, evidence, false_alarm_rate, to_time(end))
                if found:
                    self.alerts[role], alert = found
                    published.append(alert)
        return looked or bool(published), published

    def resolve(self, model: str, at: datetime) -> list[Announcement]:
        """End the alerts about versions that no longer have their role."""
        over = {
            role: alert
            for role, alert in self.alerts.items()
            if role not in self.by_role or self.by_role[role].version != alert.version
        }
        self.alerts = {role: alert for role, alert in self.alerts.items() if role not in over}
        return [candidate_alerts.ended(model, role, alert, at) for role, alert in over.items()]

    def promoted(self, champion: int) -> None:
        """Discard the candidates that are not newer than the champion."""
        self._keep({role: each for role, each in self.by_role.items() if each.version > champion})

    def clear(self) -> None:
        self._keep({})
        self.compared.clear()

    def snapshot(self) -> Candidates:
        """Return a copy for the status. Rows that are counted later do not change it."""
        versions = {number: each.snapshot() for number, each in self.evidence.versions.items()}
        evidence = ModelEvidence(versions, late=self.evidence.late)
        return Candidates(dict(self.by_role), evidence, alerts=dict(self.alerts))

    def _admits(self, batch: Predictions) -> bool:
        """Return whether the version of these rows is the candidate of its role. A newer version becomes it."""
        current = self.by_role.get(batch.role)
        if current is None or batch.version > current.version:
            # A version that was a shadow may become a canary, so it leaves its former role.
            others = {role: each for role, each in self.by_role.items() if each.version != batch.version}
            self._keep({**others, batch.role: Candidate(batch.version, batch.digest)})
            return True
        return batch.version == current.version

    def _keep(self, by_role: dict[str, Candidate]) -> None:
        self.by_role = by_role
        self.evidence.keep(each.version for each in by_role.values())
