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
    """A window of event time, `[start, end)`, and the rows that fell into it."""

    start: Utc
    end: Utc
    rows: int


class Statistic(Value):
    """One figure of a window, of one feature, or of the whole model where `feature` is None.

    `reference` is the same figure of the training data or the holdout. `threshold` is the value beyond which the figure
    counts as a finding. None if it is not judged by itself. `p_value` is the probability of such a figure without any
    change. `e_value` is the evidence against no change (Vovk and Wang, Annals of Statistics 2021): without any, it ever
    exceeds `e_threshold` with less than the share of the false-alarm rate that this figure has. `category` is the one
    whose share the figure is; of a loss it is the value of `feature` on whose rows it is, "" where that is missing.
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

    `reference` is that of the holdout. The estimate is right only if its `assumption` holds, which nothing here tests.
    """

    statistic: Annotated[Text, open_to(StatisticName)]
    value: float
    error: float | None = None
    reference: float | None = None
    method: Annotated[Text, open_to(EstimateMethod)]
    assumption: Message


# How people name the groups of columns of which the monitor has evidence. An unknown one is shown as it is.
GROUP_NAMES = {"inputs": "inputs", "outputs": "predictions", "loss": "performance", "slices": "slices"}
# How people write a statistic that is no metric: its name and the format of its values.
_WRITTEN = {
    StatisticName.PSI: ("PSI", ".2f"),
    StatisticName.KS: ("KS", ".2f"),
    StatisticName.TOTAL_VARIATION: ("total variation", ".2f"),
    StatisticName.JENSEN_SHANNON: ("Jensen-Shannon", ".2f"),
    StatisticName.WASSERSTEIN: ("Wasserstein", ".2f"),
    StatisticName.MISSING: ("missing", ".1%"),
    StatisticName.UNSEEN: ("unseen", ".1%"),
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
    """What the monitor found of a version. `finding_id` is a function of model, version, kind and event time alone.

    `window` holds the rows since the change, of `WindowClosed` those of the window. `since` is when the change most
    likely began, between `since_earliest` and `since_latest` with 90% of the evidence. `statistics_left_out` is how
    many statistics a message has no room for. Those with the strongest evidence come first. `role` is that of the
    version by then.
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
        """Return the first `most` statistics as text, and the number of the others."""
        shown = [described(statistic) for statistic in self.statistics[:most]]
        others = len(self.statistics) - len(shown) + self.statistics_left_out
        return ", ".join([*shown, f"and {others:,} more"] if others else shown)


class DriftDetected(Finding):
    """The inputs or the predictions of a model differ from its reference.

    What the model hardly relies on comes last. Else the strongest evidence comes first. `estimated_loss` is the loss to
    be expected of the rows since the change, beside that of the holdout. Its `error` is that of their difference.
    `importance` is that of the features that have changed, the most important one first, as far as it is known. `harm`
    is what follows from both. None where nothing is known.
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
    """Return whether drift is likely to do harm, as text, with the estimated loss. Empty where nothing is known."""
    if drift.harm is None:
        return ""
    words = {word.value: text for word, text in _HARM.items()}.get(drift.harm, f"harm: {drift.harm}")
    known = f" (estimated {described_estimate(drift.estimated_loss)})" if drift.estimated_loss else ""
    return f"{words}{known}"


class PerformanceDegraded(Finding):
    """A model performs worse on the outcomes than on its holdout.

    A finding about slices has their losses as statistics, the slice in `feature` and `category`. Its `window` has the
    rows of the first one alone, `labelled_rows` those of all.
    """

    topic: ClassVar[str] = "performance.degraded"

    labelled_rows: int


class PerformanceSuspected(Finding):
    """A model may perform worse since some time. The rate of false suspicions is not bounded, so it alerts nobody.

    It moves the start of the training rows, if a comparison of models confirms it. With `estimated_loss` there are no
    such outcomes yet: inputs or predictions have changed, and the loss to be expected has risen by more than chance.
    """

    topic: ClassVar[str] = "performance.suspected"

    labelled_rows: int
    estimated_loss: Estimate | None = None


class DataQualityDegraded(Finding):
    """The data of a model is not what it was: values are missing or unseen, or a stream has stopped or is stale.

    `window` holds no rows where the problem is that none arrive.
    """

    topic: ClassVar[str] = "quality.degraded"

    problem: Annotated[Text, open_to(QualityProblem)] = QualityProblem.VALUES


class WindowClosed(Finding):
    """A window of event time closed: its rows, those with an outcome, and statistics that describe it.

    A window in which one version replaced another is two windows, one for each version. `role` says whether the version
    was the champion when the window closed, or was replaced before.
    `no_verdict` is why the performance of the version can't be judged yet, such as `336 of about 500 outcomes`. None if
    it can. `estimates` are of all rows of the window, those without an outcome included.
    """

    topic: ClassVar[str] = "windows.closed"

    labelled_rows: int = 0
    no_verdict: Message | None = None
    estimates: tuple[Estimate, ...] = ()


class WantedPrediction(Value):
    """A prediction by its `id` and event time, and the `probability` with which it was chosen."""

    id: Id
    predicted_at: Utc
    probability: float


class LabelsWanted(ModelEvent):
    """Outcomes of these predictions of a version are wanted, within the budget of the spec.

    They are a uniform random sample of the predictions in `window`, at most `budget` of them. A larger one is in
    several events. An outcome is sent as any other, before the window of its prediction closes.
    """

    topic: ClassVar[str] = "labels.wanted"

    model_version: int
    window: Window
    budget: int
    wanted: tuple[WantedPrediction, ...]


class AlertRaised(ModelEvent):
    """An alert for people: `title` in a line, `detail` with the figures and what happens next.

    `model_version` and its `role` are None where the alert is about all requests of the model.
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
    """The condition of an alert is over."""

    topic: ClassVar[str] = "alerts.resolved"

    alert_id: Text
    detail: Message
    resolved_at: Utc


class PairedBlock(Value):
    """Requests of a short time whose outcomes are known.

    `difference` is the mean loss of the other version minus the primary's, on the same requests. A loss is between 0
    and 1.
    """

    start: Utc
    rows: int
    difference: float


class ComparedArms(Value):
    """Requests of a short time whose outcomes are known, each answered by one of two versions, in shares of equal size.

    `other_loss` is the mean loss of the `other_rows` that the other version answered, `primary_loss` that of the
    primary's. A loss is between 0 and 1, and 0 without rows.
    """

    start: Utc
    other_rows: int
    other_loss: float
    primary_rows: int
    primary_loss: float


class ComparedMinute(Value):
    """What two versions did in a minute.

    `scored` counts the rows that a version was given, and `errors` those it failed on. `slow` is whether an inference
    took longer than 99% of the primary's. `other_answers` were sent.
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
    """Two versions were compared on the same requests: in pairs where outcomes are known, and by minute.

    Blocks that end by `complete_until` are complete: the outcomes of all of their requests were due. Where the outcome
    depends on the answer, there are `arms` in place of `blocks`: each key counts in them once.
    """

    topic: ClassVar[str] = "rollouts.evidence"

    primary: int
    other: int
    blocks: tuple[PairedBlock, ...] = ()
    complete_until: Utc | None = None
    minutes: tuple[ComparedMinute, ...] = ()
    arms: tuple[ComparedArms, ...] = ()
