"""Events of the monitor: statistics of windows, findings, and alerts for people."""

from __future__ import annotations

from typing import Annotated, ClassVar

from rondo.contracts.events.base import ModelEvent, Value
from rondo.contracts.events.training import FeatureImportance
from rondo.contracts.figures import figure
from rondo.contracts.tasks.registry import METRICS
from rondo.contracts.text import Id, Message, Text
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import (
    AlertKind,
    EstimateMethod,
    Harm,
    QualityProblem,
    Severity,
    StatisticName,
    WindowRole,
    open_to,
)


class Window(Value):
    """A window of event time, `[start, end)`, and the rows in it."""

    start: Utc
    end: Utc
    rows: int


class Statistic(Value):
    """One figure of a window, for one feature, or for the whole model if `feature` is None.

    `reference` is the same figure of the training data or the holdout. `threshold` is the value beyond which the figure
    counts as a finding, and None if the figure alone decides nothing. `p_value` is the probability of such a figure if
    nothing has changed. `e_value` is the evidence that something has changed (Vovk and Wang, Annals of Statistics
    2021). If nothing has changed, the probability that it exceeds `e_threshold` at any time is below this figure's
    share of the false-alarm rate. With `monitor.run_length` of a spec it is the sum of an e-detector, counted in rows.
    `category` is the category whose share the figure is. For the loss of a slice it is
    the value of `feature`, and "" where that value is missing.
    """

    feature: Text | None = None
    category: Text | None = None
    statistic: Annotated[Text, open_to(StatisticName)]
    value: float
    reference: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    e_value: float | None = None
    e_threshold: float | None = None


class Estimate(Value):
    """A metric, or the `loss`, that is estimated where outcomes are missing, with its standard `error`.

    `reference` is the same figure of the holdout. The estimate is valid only if its `assumption` holds, which the
    monitor does not test.
    """

    statistic: Annotated[Text, open_to(StatisticName)]
    value: float
    error: float | None = None
    reference: float | None = None
    method: Annotated[Text, open_to(EstimateMethod)]
    assumption: Message


# Names for people of the groups of columns for which the monitor has evidence. An unknown group is shown as it is.
GROUP_NAMES = {
    "inputs": "inputs",
    "outputs": "predictions",
    "loss": "performance",
    "slices": "slices",
    "gaps": "gaps",
    "detectors": "own detectors",
}
# Name and number format for people of each statistic that is not a metric.
_WRITTEN = {
    StatisticName.PSI: ("PSI", ".2f"),
    StatisticName.KS: ("KS", ".2f"),
    StatisticName.TOTAL_VARIATION: ("total variation", ".2f"),
    StatisticName.JENSEN_SHANNON: ("Jensen-Shannon", ".2f"),
    StatisticName.WASSERSTEIN: ("Wasserstein", ".2f"),
    StatisticName.MISSING: ("missing", ".1%"),
    StatisticName.UNSEEN: ("unseen", ".1%"),
    StatisticName.OUT_OF_RANGE: ("out of range", ".1%"),
    StatisticName.UNKNOWN_CLASSES: ("unknown classes", ".1%"),
    StatisticName.MEAN_ERROR: ("mean error", ".4g"),
    StatisticName.LEVEL: ("level", ".3f"),
    StatisticName.SPREAD: ("spread", ".3f"),
    StatisticName.SHARE: ("share", ".1%"),
    StatisticName.LOSS: ("loss", ".4f"),
    StatisticName.CALIBRATION: ("outcome minus prediction", "+.3f"),
    StatisticName.SILENCE: ("seconds of silence", ",.0f"),
    StatisticName.LAG: ("seconds behind", ",.0f"),
    StatisticName.SKEW: ("published differently", ".1%"),
    StatisticName.REPEATED_REQUESTS: ("repeated requests", ".1%"),
    StatisticName.REPEATED_FEATURES: ("repeated features", ".1%"),
    StatisticName.FAILED_ROWS: ("failed rows", ".1%"),
    StatisticName.VOLUME: ("requests", ",.0f"),
    StatisticName.SELECTION_RATE_GAP: ("selection rate gap", "+.1%"),
    StatisticName.ACCURACY_GAP: ("accuracy gap", "+.1%"),
}


def described(statistic: Statistic) -> str:
    """Return a statistic as text, such as `temp PSI 4.81 (threshold 1.00)` or `ROC AUC 0.681 (reference 0.742)`."""
    name, form = _written(statistic.statistic)
    against = [
        f"{what} {figure(value, form)}"
        for what, value in (("reference", statistic.reference), ("threshold", statistic.threshold))
        if value is not None
    ]
    if statistic.e_value is not None:
        against.append(
            f"e-value {statistic.e_value:.2g}"
            + ("" if statistic.e_threshold is None else f" of {statistic.e_threshold:.2g}")
        )
    name = f"{name} of {statistic.category}" if statistic.category is not None else name
    subject = f"{statistic.feature} {name}" if statistic.feature else name
    return f"{subject} {figure(statistic.value, form)}" + (f" ({', '.join(against)})" if against else "")


def described_estimate(estimate: Estimate) -> str:
    """Return an estimate as text, such as `accuracy 0.871 ± 0.004 (holdout 0.884)`."""
    name, form = _written(estimate.statistic)
    error = "" if estimate.error is None else f" ± {figure(estimate.error, form)}"
    against = "" if estimate.reference is None else f" (holdout {figure(estimate.reference, form)})"
    return f"{name} {figure(estimate.value, form)}{error}{against}"


def _written(name: str) -> tuple[str, str]:
    if metric := METRICS.get(name):
        return metric.title, metric.form
    return {word.value: how for word, how in _WRITTEN.items()}.get(name, (name, ".4g"))


class Finding(ModelEvent):
    """A finding of the monitor about a version.

    `finding_id` is a function of model, version, kind and event time alone. `window` has the rows since the change, or
    for `WindowClosed` the rows of the window. `since` is the most likely start of the change, which lies between
    `since_earliest` and `since_latest` with 90% of the evidence. `statistics` are ordered by evidence, the strongest
    first. `statistics_left_out` counts those that do not fit the message. `role` is the role of the version at that
    time.
    """

    finding_id: Text
    model_version: int
    role: Annotated[Text, open_to(WindowRole)] = WindowRole.CHAMPION
    window: Window
    since: Utc
    since_earliest: Utc | None = None
    since_latest: Utc | None = None
    statistics: tuple[Statistic, ...]
    statistics_left_out: int = 0

    def described(self, most: int) -> str:
        """Return the first `most` statistics as text, and the number of those that follow."""
        shown = [described(statistic) for statistic in self.statistics[:most]]
        others = len(self.statistics) - len(shown) + self.statistics_left_out
        return ", ".join([*shown, f"and {others:,} more"] if others else shown)


class DriftDetected(Finding):
    """The inputs or the predictions of a model differ from its reference.

    `statistics` are ordered by evidence, the strongest first, except that features on which the model hardly relies
    come last. `estimated_loss` is the expected loss of the rows since the change. Its `reference` is the loss of the
    holdout, and its `error` is the standard error of the difference. `importance` lists the known importances of the
    features that have changed, the most important first. `harm` follows from both. These are None where nothing is
    known.
    """

    topic: ClassVar[str] = "drift.detected"

    estimated_loss: Estimate | None = None
    importance: tuple[FeatureImportance, ...] = ()
    harm: Annotated[Text, open_to(Harm)] | None = None


_HARM = {
    Harm.LIKELY: "harm is likely",
    Harm.NONE: "no harm is to be expected",
    Harm.UNCERTAIN: "whether that harms is uncertain",
}


def described_harm(drift: DriftDetected) -> str:
    """Return as text whether drift is likely to do harm, with the estimated loss. Empty where nothing is known."""
    if drift.harm is None:
        return ""
    words = {word.value: text for word, text in _HARM.items()}.get(drift.harm, f"harm: {drift.harm}")
    known = f" (estimated {described_estimate(drift.estimated_loss)})" if drift.estimated_loss else ""
    return f"{words}{known}"


class PerformanceDegraded(Finding):
    """A model performs worse on the outcomes than on its holdout.

    A finding about slices has the losses of the slices as statistics, with the slice in `feature` and `category`. Its
    `window` has the rows of the first slice, and `labelled_rows` counts the rows of all slices.
    """

    topic: ClassVar[str] = "performance.degraded"

    labelled_rows: int


class PerformanceSuspected(Finding):
    """A model may perform worse than before. The rate of false suspicions is not bounded, so no alert follows.

    If a comparison of models confirms the suspicion, training rows begin at the change. `estimated_loss` is set if
    there are no outcomes since then: inputs or predictions have changed, and the expected loss has risen by more than
    chance explains.
    """

    topic: ClassVar[str] = "performance.suspected"

    labelled_rows: int
    estimated_loss: Estimate | None = None


class DataQualityDegraded(Finding):
    """The data of a model got worse: values are missing, unseen or out of range, or a stream has stopped or is stale.

    `window` has no rows if the problem is that none arrive.
    """

    topic: ClassVar[str] = "quality.degraded"

    problem: Annotated[Text, open_to(QualityProblem)] = QualityProblem.VALUES


class WindowClosed(Finding):
    """A window of event time closed: its rows, those with an outcome, and statistics that describe it.

    A window in which one version replaced another is two windows, one for each version. `role` says whether the version
    was the champion when the window closed, or was replaced before. `no_verdict` is the reason why the performance of
    the version can't be judged yet, such as `336 of about 500 outcomes`, and None if it can be judged. `estimates` are
    about all rows of the window, with or without an outcome.
    """

    topic: ClassVar[str] = "windows.closed"

    labelled_rows: int = 0
    no_verdict: Message | None = None
    estimates: tuple[Estimate, ...] = ()


class WantedPrediction(Value):
    """The `id` and event time of a prediction, and the `probability` with which it was chosen."""

    id: Id
    predicted_at: Utc
    probability: float


class LabelsWanted(ModelEvent):
    """Outcomes of these predictions of a version are wanted, within the budget of the spec.

    The predictions are a uniform random sample of those in `window`, at most `budget` of them. A large sample is split
    into several events. Applications send these outcomes like all others, before the window of the prediction closes.
    """

    topic: ClassVar[str] = "labels.wanted"

    model_version: int
    window: Window
    budget: int
    wanted: tuple[WantedPrediction, ...]


class AlertRaised(ModelEvent):
    """An alert for people. `title` is one line, `detail` has the figures and says what happens next.

    `model_version` and its `role` are None if the alert is about all requests of the model.
    """

    topic: ClassVar[str] = "alerts.raised"

    alert_id: Text
    kind: Annotated[Text, open_to(AlertKind)]
    model_version: int | None = None
    role: Annotated[Text, open_to(WindowRole)] | None = None
    severity: Annotated[Text, open_to(Severity)]
    title: Message
    detail: Message
    raised_at: Utc


class AlertResolved(ModelEvent):
    """The condition of an alert no longer holds."""

    topic: ClassVar[str] = "alerts.resolved"

    alert_id: Text
    detail: Message
    resolved_at: Utc


class PairedBlock(Value):
    """Requests of a short period whose outcomes are known.

    `difference` is the mean loss of the other version minus the primary's, on the same requests. A loss is between 0
    and 1.
    """

    start: Utc
    rows: int
    difference: float


class ComparedArms(Value):
    """Requests of a short period with known outcomes, each answered by one of two versions, in shares of equal size.

    `other_loss` is the mean loss of the `other_rows` that the other version answered, `primary_loss` that of the rows
    that the primary answered. A loss is between 0 and 1, and 0 without rows.
    """

    start: Utc
    other_rows: int
    other_loss: float
    primary_rows: int
    primary_loss: float


class ComparedMinute(Value):
    """Counts of the requests that two versions scored within a minute.

    For each version, `scored` counts the rows that it was given, and `errors` those on which it failed. `slow` is true
    if an inference took longer than 99% of the primary's. `other_answers` counts the answers of the other version that
    were sent.
    """

    start: Utc
    primary_scored: int = 0
    other_scored: int = 0
    other_answers: int = 0
    primary_errors: int = 0
    other_errors: int = 0
    primary_slow: bool = False
    other_slow: bool = False
    disagreement: float | None = None


class RolloutEvidence(ModelEvent):
    """Two versions were compared on the same requests: by pairs with known outcomes, and by minute.

    Blocks that end by `complete_until` are complete: the outcomes of all of their requests were due. If the outcome
    depends on the answer, the event has `arms` instead of `blocks`, and each key counts once in them.
    """

    topic: ClassVar[str] = "rollouts.evidence"

    primary: int
    other: int
    blocks: tuple[PairedBlock, ...] = ()
    complete_until: Utc | None = None
    minutes: tuple[ComparedMinute, ...] = ()
    arms: tuple[ComparedArms, ...] = ()
