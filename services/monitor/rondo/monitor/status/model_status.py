"""The status of a model for people: what can be judged, the evidence, and the open windows with their figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from rondo.contracts.events.base import Value
from rondo.contracts.events.monitoring import Estimate
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import AlertKind, Harm
from rondo.monitor.alerts.findings import estimate_of
from rondo.monitor.alerts.no_verdict import no_verdict, out_of_reach, unjudged_slices
from rondo.monitor.costs.cost_status import CostStatus, Power, cost_statuses
from rondo.monitor.estimates.expected_harm import ExpectedHarm, expected_loss
from rondo.monitor.estimates.reliance import reliance
from rondo.monitor.evidence.component_sums import GROUPS, INPUT_GROUPS, SLICES
from rondo.monitor.evidence.false_discoveries import evident_over_models
from rondo.monitor.evidence.verdicts import decimal
from rondo.monitor.statistics.window_estimates import window_estimates
from rondo.monitor.status.candidate_status import CandidateStatus, candidate_statuses
from rondo.monitor.status.column_status import ColumnStatus, column_statuses
from rondo.monitor.status.newest_rows import (
    NewestRows,
    WindowStatus,
    newest_period,
    newest_rows,
    window_status,
)
from rondo.monitor.status.not_counted import not_counted
from rondo.monitor.status.overall_verdict import OverallVerdict, overall_verdict
from rondo.monitor.status.repeat_status import RepeatStatus, repeat_status
from rondo.monitor.status.replaced_status import ReplacedStatus, replaced_statuses
from rondo.monitor.status.skew_status import SkewStatus, skew_status
from rondo.monitor.status.stream_status import StreamStatus, VolumeStatus, stream_statuses, volume_status
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.recent_windows import CountedPeriod
from rondo.monitor.windows.tumbling import to_micros, to_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.errors import UnreadableStateError
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.evidence.version_evidence import VersionEvidence
    from rondo.monitor.model_state import ModelState
    from rondo.monitor.ports import ChampionRevision
    from rondo.monitor.windows.tumbling import TumblingWindows


class LogCounts(Value):
    """A number for each of the two logs."""

    predictions: int
    outcomes: int


class MeanLoss(Value):
    """The mean loss of the outcomes of a version so far, and bounds that hold at all times with this `confidence`.

    `reference` is the mean loss of the holdout.
    """

    value: float
    low: float
    high: float
    confidence: float
    labelled_rows: int
    reference: float


class ModelSummary(Value):
    """The summary of a model. `version` is the champion.

    `no_verdict` is the part of the champion that can't be judged yet. It is None if all is judged, except what is out
    of reach. `out_of_reach` is the part that can't be judged however long one waits, and the reason. None if there is
    none. `judged_since` is, by group of columns (`inputs`, `outputs`, `loss`, `slices`), the first time since which the
    whole group can be judged, except what is out of reach. It is the end of a window, or of the first step of a window.
    A group that still lacks rows is absent. `unjudged_slices` are the slices with too few outcomes, and their numbers
    of outcomes. `estimates` are the expected performance of the newest rows, as in `ModelStatus.newest`.

    `last_window` is the end of the champion's last closed window, None if none has closed. `open_alerts` are the kinds
    of the open alerts. `silenced_alerts` are those of them about which no messages are sent. `not_monitored_share` is
    the share of the last 500 to 1,000 rows that counts in no window. `late_outcomes` is the number of outcomes that
    arrived after the window of their prediction had closed. `strength` is the decimal logarithm of the largest evidence
    as a share of what a first alarm needs, None before any evidence. `evident_over_models` is true if the change is
    evident among all models that are monitored, see `over_models`.
    """

    model: str
    version: int | None
    no_verdict: str | None
    out_of_reach: str | None = None
    judged_since: dict[str, Utc] = Field(default_factory=dict)
    unjudged_slices: str | None = None
    estimates: tuple[Estimate, ...] = ()
    last_window: Utc | None
    watermark: Utc | None
    open_alerts: tuple[str, ...]
    silenced_alerts: tuple[str, ...] = ()
    not_monitored_share: float
    late_outcomes: int
    strength: float | None = None
    evident_over_models: bool = False


class ModelStatus(Value):
    """The status of a model. `columns` and the windows are those of the champion.

    `alerts` are the open alerts' ids by kind, with that of a rollout that waits for a person. `newest` are the
    newest rows with their distributions. `newest_closed` are the newest rows that accept no more outcomes.
    `windows` are the open ones. `no_verdict`, `out_of_reach` and `judged_since` are as in `ModelSummary`.
    `candidates` are a canary and a shadow, and `replaced` are earlier champions with open windows.

    `watermark` and `outcomes_until` are the newest times in the logs. `streams` has the rhythm of `requests` and of
    `outcomes`. `volume` compares the number of requests with the weeks before. It is None before there are two weeks.
    `skew` compares served with published values. It is None if no batch has event times of predictions. `repeats` are
    requests that repeat others. It is None before a window has passed. `window_seconds` and `bucket_seconds` are the
    lengths of windows and of the buckets of evidence. `late_for_evidence` is the number of rows that arrived after
    their bucket had closed. `dropped` are the rows and outcomes that count in no window, by reason. `dropped_share` is
    their share of the last full block of 500 rows. `not_counted` has both in words. `false_alarm_rate` and
    `run_length` are those of the spec.

    `estimated_loss` is the expected loss of the rows since inputs or predictions have changed, as in `DriftDetected`.
    `expected_harm` is whether the change is likely to do harm. Both are None without a change. `loss` is the mean loss
    so far, with bounds. It is None without enough outcomes for one block.
    """

    model: str
    version: int | None
    verdict: OverallVerdict
    estimated_loss: Estimate | None = None
    expected_harm: Harm | None = None
    loss: MeanLoss | None = None
    no_verdict: str | None
    out_of_reach: str | None = None
    judged_since: dict[str, Utc] = Field(default_factory=dict)
    false_alarm_rate: float
    run_length: int | None = None
    watermark: Utc | None
    outcomes_until: Utc | None
    window_seconds: float | None
    bucket_seconds: float | None
    columns: tuple[ColumnStatus, ...]
    candidates: tuple[CandidateStatus, ...]
    newest: NewestRows | None
    newest_closed: WindowStatus | None
    windows: tuple[WindowStatus, ...]
    replaced: tuple[ReplacedStatus, ...] = ()
    alerts: dict[str, str]
    streams: dict[str, StreamStatus]
    volume: VolumeStatus | None = None
    skew: SkewStatus | None = None
    repeats: RepeatStatus | None = None
    costs: tuple[CostStatus, ...]
    unmatched: LogCounts
    clock_set_back: LogCounts
    late_for_evidence: int
    dropped: dict[str, int]
    dropped_share: float
    not_counted: tuple[str, ...] = ()


def summary(
    state: ModelState, spec: ModelSpec, reference: Reference | None, undecided_rollout: str | None = None
) -> ModelSummary:
    """Return the summary as of now.

    `undecided_rollout` is the id of the open alert about a rollout that waits for a person, None without one.
    """
    return ModelSummary(
        model=state.model,
        version=state.champion.version if state.champion else None,
        no_verdict=_no_verdict(state, spec, reference),
        out_of_reach=_out_of_reach(state, spec),
        judged_since=_judged_since(state),
        unjudged_slices=_unjudged_slices(state, spec),
        estimates=_estimates(state, reference),
        last_window=_time(state.closed_until),
        watermark=_time(state.watermark.newest),
        open_alerts=tuple(_open_alerts(state, undecided_rollout)),
        not_monitored_share=state.dropped.coverage.recent_share,
        late_outcomes=state.dropped.counts["late_outcomes"],
        strength=_strength(_evidence(state), spec.monitor.evidence_rate),
    )


def unreadable_summary(model: str, error: UnreadableStateError) -> ModelSummary:
    """Return the summary of a model whose saved state can't be read."""
    return ModelSummary(
        model=model,
        version=None,
        # The replica that monitors the model may have another release, and read the state.
        no_verdict=(
            f"can't be shown here: this replica can't read the saved state of {model} ({error.why}); run one release "
            "of the monitor on all replicas"
        ),
        last_window=None,
        watermark=None,
        open_alerts=(),
        not_monitored_share=0.0,
        late_outcomes=0,
    )


def over_models(summaries: Sequence[ModelSummary]) -> tuple[ModelSummary, ...]:
    """Return the summaries of all models, with a mark on those whose change is evident among all models."""
    judged = [each.model for each in summaries if each.strength is not None]
    strengths = np.array([each.strength for each in summaries if each.strength is not None]) * np.log(10)
    evident = {model for model, is_so in zip(judged, evident_over_models(strengths), strict=True) if is_so}
    return tuple(each.model_copy(update={"evident_over_models": each.model in evident}) for each in summaries)


def _strength(evidence: VersionEvidence | None, false_alarm_rate: float) -> float | None:
    found = evidence.strength(false_alarm_rate) if evidence else -np.inf
    return decimal(found) if np.isfinite(found) else None


def model_status(
    state: ModelState, spec: ModelSpec, reference: Reference | None, power: Power | None = None,
    undecided_rollout: str | None = None,
) -> ModelStatus:  # fmt: skip
    """Return the status as of now. `undecided_rollout` is as in `summary`.

    The function only reads the state. In a thread, give it a `snapshot`.
    """
    tumbling, version = state.tumbling, state.champion.version if state.champion else None
    importance = reference.profile.importance if reference else None
    columns = column_statuses(_evidence(state), spec.monitor.evidence_rate, importance)
    reason, expected = _no_verdict(state, spec, reference), _expected_harm(state, columns, reference)
    return ModelStatus(
        model=state.model,
        version=version,
        verdict=overall_verdict(state.model, version, columns, reason, expected),
        estimated_loss=estimate_of(expected.loss) if expected.loss else None,
        expected_harm=expected.harm,
        loss=_mean_loss(_evidence(state), spec.monitor.false_alarm_rate),
        no_verdict=reason,
        out_of_reach=_out_of_reach(state, spec),
        judged_since=_judged_since(state),
        false_alarm_rate=spec.monitor.false_alarm_rate,
        run_length=spec.monitor.run_length,
        watermark=_time(state.watermark.newest),
        outcomes_until=_time(state.outcome_watermark.newest),
        window_seconds=tumbling.length / 1e6 if tumbling else None,
        bucket_seconds=tumbling.bucket / 1e6 if tumbling else None,
        columns=columns,
        candidates=candidate_statuses(state.model, state.candidates, spec),
        **_windows(state, reference, spec.monitor.detectors),
        replaced=replaced_statuses(state),
        alerts=_open_alerts(state, undecided_rollout),
        streams=stream_statuses(state.quality.streams),
        volume=volume_status(state.quality.volume),
        skew=skew_status(state.quality.skew.measured),
        repeats=_repeats(state, reference),
        costs=cost_statuses(state.costs, power or Power()),
        unmatched=LogCounts(
            predictions=state.unmatched.predictions.num_rows, outcomes=state.unmatched.outcomes.num_rows
        ),
        clock_set_back=LogCounts(predictions=state.watermark.set_back, outcomes=state.outcome_watermark.set_back),
        late_for_evidence=state.evidence.late,
        dropped=dict(state.dropped.counts),
        dropped_share=state.dropped.coverage.last,
        not_counted=not_counted(state.dropped.counts, state.evidence.late),
    )


def _open_alerts(state: ModelState, undecided_rollout: str | None) -> dict[str, str]:
    return state.open_alerts | ({AlertKind.UNDECIDED_ROLLOUT.value: undecided_rollout} if undecided_rollout else {})


def _no_verdict(state: ModelState, spec: ModelSpec, reference: Reference | None) -> str | None:
    if state.champion is None or reference is None:
        return "no version serves yet" if state.champion is None else "the evidence of its training has not arrived"
    return no_verdict(_evidence(state), reference, spec.monitor.evidence_rate)


def _out_of_reach(state: ModelState, spec: ModelSpec) -> str | None:
    evidence = _evidence(state)
    return out_of_reach(evidence, spec.monitor.evidence_rate) if evidence else None


def _unjudged_slices(state: ModelState, spec: ModelSpec) -> str | None:
    evidence = _evidence(state)
    return unjudged_slices(evidence, spec.monitor.evidence_rate) if evidence else None


def _judged_since(state: ModelState) -> dict[str, datetime]:
    evidence = _evidence(state)
    judged = evidence.judged_since if evidence else {}
    return {group: to_time(judged[group]) for group in (*GROUPS, SLICES) if group in judged}


def _evidence(state: ModelState) -> VersionEvidence | None:
    return state.evidence.versions.get(state.champion.version) if state.champion else None


def _open_periods(state: ModelState, champion: ChampionRevision, tumbling: TumblingWindows) -> list[CountedPeriod]:
    """Return the open windows of the champion, in order of time."""
    return [
        CountedPeriod(start, start + tumbling.length, counts)
        for (version, start), counts in sorted(state.windows.items(), key=lambda item: item[0])
        if version == champion.version
    ]


def _estimates(state: ModelState, reference: Reference | None) -> tuple[Estimate, ...]:
    if state.tumbling is None or state.champion is None or reference is None:
        return ()
    found = newest_period(_open_periods(state, state.champion, state.tumbling), state.recent, state.watermark.passed)
    return window_estimates(found[0].counts, reference) if found else ()


def _mean_loss(evidence: VersionEvidence | None, false_alarm_rate: float) -> MeanLoss | None:
    bounds = evidence.loss_bounds if evidence else None
    confidence = 1 - false_alarm_rate
    if bounds is None or (found := bounds.within(confidence)) is None:
        return None
    value, low, high = found
    return MeanLoss(
        value=value, low=low, high=high, confidence=confidence, labelled_rows=bounds.rows, reference=bounds.reference
    )


def _expected_harm(state: ModelState, columns: Sequence[ColumnStatus], reference: Reference | None) -> ExpectedHarm:
    """Return the evidence for and against harm since inputs or predictions have changed. Empty if they have not."""
    evidence, changed = _evidence(state), [each for each in columns if each.since and each.group in INPUT_GROUPS]
    since = min((each.since for each in changed if each.since), default=None)
    if since is None or evidence is None or reference is None:
        return ExpectedHarm()
    relied = reliance(reference.profile.importance, [each.column for each in changed if each.column])
    if evidence.predicted is None or reference.estimator is None:
        return ExpectedHarm(None, relied)
    return ExpectedHarm(expected_loss(reference.estimator, evidence.predicted, to_micros(since)), relied)


def _windows(state: ModelState, reference: Reference | None, detectors: Sequence[str]) -> dict[str, Any]:
    """Return the windows of the champion, by the names of their fields."""
    tumbling, champion = state.tumbling, state.champion
    if tumbling is None or champion is None or reference is None:
        return {"newest": None, "newest_closed": None, "windows": ()}
    mine = _open_periods(state, champion, tumbling)
    closed = state.recent.period
    return {
        "newest": newest_rows(mine, state.recent, state.watermark.passed, reference, detectors),
        "newest_closed": window_status(closed, reference, detectors) if closed else None,
        "windows": tuple(window_status(each, reference, detectors) for each in mine),
    }


def _repeats(state: ModelState, reference: Reference | None) -> RepeatStatus | None:
    if state.tumbling is None:
        return None
    usual = reference.profile.repeated_rows if reference else None
    return repeat_status(state.quality.repeats, state.tumbling.length, usual)


def _time(micros: int) -> datetime | None:
    return None if micros == NEVER else to_time(micros)
