"""Coverage: the share of rows that count in a window, in blocks of rows, and the alert when it is too low.

Rows that are late, have an implausible time or no profile are in no figure. If they are many, the absence of findings
means nothing, and possibly no window closes that could report it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.monitoring import AlertRaised
from rondo.contracts.vocabularies import AlertKind, Severity
from rondo.monitor.alerts import findings
from rondo.monitor.alerts.findings import Announcement
from rondo.monitor.alerts.hysteresis import AlarmState, Transition

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

BLOCK_ROWS = 500
# A window that lacks a tenth of its rows still shows a change. With more missing, it may show a change of the sample.
MAX_DROPPED = 0.1
_CONSECUTIVE = 2
# Rows, in this order: late, with an implausible event time, without an event time among older rows that have one,
# without a profile, evicted while they waited for a profile.
ROW_REASONS = ("late_rows", "implausible_rows", "undated_rows", "unprofiled", "evicted_rows")
# Outcomes, in this order: late, with an implausible time, without a prediction because one of the two was evicted.
OUTCOME_REASONS = ("late_outcomes", "implausible_outcomes", "evicted_outcomes")
# Rows of a rollout's other version that were evicted while they waited for the outcomes with which they are compared.
COMPARED_REASONS = ("evicted_compared",)
REASONS = (*ROW_REASONS, *OUTCOME_REASONS, *COMPARED_REASONS)


@dataclass(frozen=True)
class Coverage:
    """The number of `rows` in the current block, `dropped` of them, and the number of full `blocks` before it.

    `last` is the dropped share of the last full block, because a share of a few rows means nothing. A model that was
    removed starts over at `first_block`: the ids of its alerts contain the block, and must not be used again.
    """

    rows: int = 0
    dropped: int = 0
    blocks: int = 0
    alarm: AlarmState = field(default_factory=AlarmState)
    last: float = 0.0
    first_block: int = 0

    @property
    def share(self) -> float:
        """The dropped share of the current block."""
        return self.dropped / self.rows if self.rows else 0.0

    @property
    def recent_share(self) -> float:
        """The dropped share of the last full block and the current one.

        It is defined before the first block is full.
        """
        before = BLOCK_ROWS if self.blocks > self.first_block else 0
        rows = before + self.rows
        return (self.last * before + self.dropped) / rows if rows else 0.0


@dataclass(frozen=True)
class CoverageTransition:
    """A change of the alarm at the end of a full block.

    `block` is the coverage at its end, with the alarm from before it.
    """

    change: Transition
    block: Coverage


def observe(coverage: Coverage, dropped: NDArray[np.bool_]) -> tuple[Coverage, list[CoverageTransition]]:
    """Take rows in their order. Only the number of rows decides where a block ends, however the rows arrive."""
    if not (coverage.dropped or dropped.any()) and coverage.alarm == AlarmState():
        blocks, rows = divmod(coverage.rows + dropped.size, BLOCK_ROWS)
        last = 0.0 if blocks else coverage.last
        return replace(coverage, rows=rows, blocks=coverage.blocks + blocks, last=last), []
    transitions: list[CoverageTransition] = []
    while coverage.rows + dropped.size >= BLOCK_ROWS:
        room = BLOCK_ROWS - coverage.rows
        block = _filled(coverage, dropped[:room])
        alarm, change = block.alarm.observe(str(block.blocks), _CONSECUTIVE, exceeded=block.share > MAX_DROPPED)
        if change != "none":
            transitions.append(CoverageTransition(change, block))
        coverage = Coverage(0, 0, block.blocks + 1, alarm, block.share, block.first_block)
        dropped = dropped[room:]
    return _filled(coverage, dropped), transitions


def _filled(coverage: Coverage, dropped: NDArray[np.bool_]) -> Coverage:
    return replace(coverage, rows=coverage.rows + dropped.size, dropped=coverage.dropped + int(dropped.sum()))


@dataclass
class DroppedRows:
    """Rows and outcomes that count in no window: `counts` by reason, coverage, and alerts not yet published."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    coverage: Coverage = field(default_factory=Coverage)
    pending_alerts: list[Announcement] = field(default_factory=list)

    def record(self, model: str, at: datetime, **reasons: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Record rows, with a mask of the dropped ones for each reason.

        Returns the mask of rows that are dropped for any reason.
        """
        for reason, mask in reasons.items():
            self.counts[reason] += int(mask.sum())
        dropped = np.asarray(np.logical_or.reduce(list(reasons.values())))
        self.coverage, transitions = observe(self.coverage, dropped)
        self.pending_alerts += [coverage_alert(model, each, self.counts, at) for each in transitions]
        return dropped

    def resolve(self, model: str, at: datetime, why: str) -> list[Announcement]:
        """Resolve the open alert, if there is one, and start over."""
        opened, block = self.open(model), self.coverage.blocks + 1
        self.coverage = Coverage(blocks=block, first_block=block)
        return [findings.resolved(model, alert, at, why) for alert in opened.values()]

    def open(self, model: str) -> dict[str, str]:
        """Return the id of the alert by its kind, if it is open."""
        block = self.coverage.alarm.alert_id
        return {AlertKind.COVERAGE.value: _alert_id(model, block)} if block else {}

    def drain_alerts(self) -> list[Announcement]:
        """Return the pending alerts, and clear them."""
        alerts, self.pending_alerts = self.pending_alerts, []
        return alerts


def coverage_alert(model: str, transition: CoverageTransition, counts: Mapping[str, int], at: datetime) -> Announcement:
    """Build the alert that too many rows count in no window, or its end. `counts` are all dropped rows by reason."""
    block = transition.block
    if transition.change == "raised":
        return _raised(model, block, counts, at)
    why = f"{1 - block.share:.0%} of the last {block.rows:,} rows count in a window again"
    return findings.resolved(model, _alert_id(model, str(block.alarm.alert_id)), at, why)


def _raised(model: str, block: Coverage, counts: Mapping[str, int], at: datetime) -> Announcement:
    reasons = ", ".join(f"{reason} {counts[reason]:,}" for reason in ROW_REASONS)
    alert = AlertRaised(
        model=model,
        alert_id=_alert_id(model, str(block.blocks)),
        kind=AlertKind.COVERAGE,
        severity=Severity.CRITICAL,
        title=f"{model}: {block.share:.0%} of its requests are not monitored",
        detail=(
            f"{block.dropped:,} of the last {block.rows:,} rows count in no window, so drift and degradation go "
            f"unnoticed (in all: {reasons}). Late, implausible or undated rows: correct their event_time. "
            "Unprofiled or evicted rows: retrain the model and promote the new version."
        ),
        raised_at=at,
    )
    return Announcement(alert, f"{alert.alert_id}-raised")


def _alert_id(model: str, block: str) -> str:
    """Return the alert's id, a function of the model and the block."""
    return hashlib.sha256(f"{model}/coverage/{block}".encode()).hexdigest()[:32]
