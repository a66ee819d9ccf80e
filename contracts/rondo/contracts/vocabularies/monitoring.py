"""Open vocabularies of monitoring."""

from __future__ import annotations

from enum import StrEnum


class StatisticName(StrEnum):
    """The statistic that a figure has.

    `psi` is the population stability index, `ks` the Kolmogorov-Smirnov distance, `total_variation` the total variation
    distance of categories, `jensen_shannon` the Jensen-Shannon distance, and `wasserstein` the Wasserstein distance of
    ranks in the reference. `missing`, `unseen` and `out_of_range` are shares of rows (0 to 1). `unknown_classes` is the
    share of outcomes whose class the model does not know, `mean_error` the mean of outcome minus prediction. `level`
    and `spread` are means of the first two Legendre polynomials of a value's rank in the reference (0 without a
    change), `share` is the share of a category, and `loss` the mean loss between 0 and 1. `calibration` is the mean of
    outcome minus prediction, and 0 if predictions are neither too high nor too low. For a number it is divided by the
    error whose loss is 1. `silence` is the time without a row, and `lag` the distance of the newest event time from the
    clock, both in seconds. `skew` is the share of rows whose value was published differently than it was served.
    `repeated_requests` is the share of requests with the entity and event time of an earlier request,
    `repeated_features` the share of those with the features of an earlier request. `failed_rows` is the share of rows
    for which a model gives no prediction, and `volume` the number of requests. `selection_rate_gap` and `accuracy_gap`
    are the rate of one group minus that of another. The others are metrics, named as in the
    gates of a spec.

    Unknown: shown by its name. In a finding it counts as evidence.
    """

    PSI = "psi"
    KS = "ks"
    TOTAL_VARIATION = "total_variation"
    JENSEN_SHANNON = "jensen_shannon"
    WASSERSTEIN = "wasserstein"
    MISSING = "missing"
    UNSEEN = "unseen"
    OUT_OF_RANGE = "out_of_range"
    ROC_AUC = "roc_auc"
    AVERAGE_PRECISION = "average_precision"
    LOG_LOSS = "log_loss"
    BRIER = "brier"
    COST = "cost"
    ACCURACY = "accuracy"
    BALANCED_ACCURACY = "balanced_accuracy"
    F1_MACRO = "f1_macro"
    ECE = "ece"
    UNKNOWN_CLASSES = "unknown_classes"
    MAE = "mae"
    RMSE = "rmse"
    MEDIAN_ABSOLUTE_ERROR = "median_absolute_error"
    R2 = "r2"
    MEAN_ERROR = "mean_error"
    INTERVAL_COVERAGE = "interval_coverage"
    LEVEL = "level"
    SPREAD = "spread"
    SHARE = "share"
    LOSS = "loss"
    CALIBRATION = "calibration"
    SILENCE = "silence"
    LAG = "lag"
    SKEW = "skew"
    REPEATED_REQUESTS = "repeated_requests"
    REPEATED_FEATURES = "repeated_features"
    FAILED_ROWS = "failed_rows"
    VOLUME = "volume"
    SELECTION_RATE_GAP = "selection_rate_gap"
    ACCURACY_GAP = "accuracy_gap"


class ColumnStatisticName(StrEnum):
    """A statistic of columns that `monitor.detectors` of a spec may name. It is reported for each window.

    `psi`, `jensen_shannon`, `missing`: for all columns. `ks`, `wasserstein`, `out_of_range`: for ordered columns.
    `total_variation`, `unseen`: for columns of categories.

    A spec may also name a user's own class, as `package.module:Class`.

    Unknown: `rondo apply` refuses the spec. A stored spec with it reports the others.
    """

    PSI = "psi"
    KS = "ks"
    TOTAL_VARIATION = "total_variation"
    JENSEN_SHANNON = "jensen_shannon"
    WASSERSTEIN = "wasserstein"
    MISSING = "missing"
    UNSEEN = "unseen"
    OUT_OF_RANGE = "out_of_range"


class ProfileKind(StrEnum):
    """The form in which a reference profile describes a column.

    Unknown: the column is not compared. The profile is kept as it is.
    """

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class EstimateMethod(StrEnum):
    """The method by which a figure of performance was estimated.

    `expected` uses only the predictions, and assumes that rows with similar predictions have the same mean error as on
    the holdout. `prediction_powered` corrects that estimate by the available outcomes, if they are few.

    Unknown: shown by its name.
    """

    EXPECTED = "expected"
    PREDICTION_POWERED = "prediction_powered"


class WindowRole(StrEnum):
    """The role of a version when its window closed, or at the time of a finding.

    `champion`: the version answers as the primary, and evidence and alarms are about it. `replaced`: another version
    serves in its place, and its figures affect no decision. `canary` and `shadow`: the version runs next to the
    champion, and findings about it start no training.

    Unknown: shown as it is.
    """

    CHAMPION = "champion"
    REPLACED = "replaced"
    CANARY = "canary"
    SHADOW = "shadow"


class QualityProblem(StrEnum):
    """The problem with the data of a model.

    `values`: its requests have missing, unseen or out-of-range values. `silence`: no request has arrived for much
    longer than usual. `no_outcomes`: no outcome has arrived for much longer than usual. `stale`: the event times of the
    requests no longer advance with the clock. `skew`: features were published with other values than they were served
    with. `repeated_requests`: requests repeat the entity and event time of others. `repeated_features`: requests repeat
    the features of others more often than the training rows do. `failed_rows`: the model gives no prediction for many
    rows. `volume`: far fewer or far more requests arrive than in the same hours of earlier weeks.

    Unknown: shown as it is. It triggers no training, because only `values` does.
    """

    VALUES = "values"
    SILENCE = "silence"
    NO_OUTCOMES = "no_outcomes"
    STALE = "stale"
    SKEW = "skew"
    REPEATED_REQUESTS = "repeated_requests"
    REPEATED_FEATURES = "repeated_features"
    FAILED_ROWS = "failed_rows"
    VOLUME = "volume"


class Harm(StrEnum):
    """The likely effect of a change of the inputs or predictions on the performance of a model.

    `likely`: the expected loss has risen by more than chance explains. `none`: it can hardly have risen, or the model
    hardly relies on the features that have changed. `uncertain`: neither is shown.

    Unknown: shown as it is.
    """

    LIKELY = "likely"
    NONE = "none"
    UNCERTAIN = "uncertain"


class Severity(StrEnum):
    """The urgency of an alert.

    Unknown: shown as it is.
    """

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertKind(StrEnum):
    """The subject of an alert.

    `drift`, `performance` and `quality` are the kinds of findings, and `slices` is a worse performance on slices.
    `no_verdict`: the inputs can't be judged after a week and twice the expected time, or after as many rows as the
    version was trained on. `no_performance_verdict`: the losses can't be judged after that. `coverage`: many requests
    count in no window. `detectors`: a user's own detector shows a change. `no_detector_verdict`: such a detector has no
    figures of blocks, so it can't show one. `fairness`: the gap between two groups has changed. `silence`,
    `no_outcomes`, `stale`, `skew`, `repeated_requests`, `repeated_features`, `failed_rows` and `volume` are as in
    `QualityProblem`. `detector_failed`: a user's own detector reports nothing for a window. `canary` and `shadow`: the
    requests or answers of such a version differ from its own training. `undecided_rollout`: a rollout waits for the
    decision of a person.

    Unknown: shown as it is.
    """

    DRIFT = "drift"
    PERFORMANCE = "performance"
    SLICES = "slices"
    QUALITY = "quality"
    NO_VERDICT = "no_verdict"
    NO_PERFORMANCE_VERDICT = "no_performance_verdict"
    COVERAGE = "coverage"
    DETECTOR_FAILED = "detector_failed"
    DETECTORS = "detectors"
    NO_DETECTOR_VERDICT = "no_detector_verdict"
    FAIRNESS = "fairness"
    CANARY = "canary"
    SHADOW = "shadow"
    SILENCE = "silence"
    NO_OUTCOMES = "no_outcomes"
    STALE = "stale"
    SKEW = "skew"
    REPEATED_REQUESTS = "repeated_requests"
    REPEATED_FEATURES = "repeated_features"
    FAILED_ROWS = "failed_rows"
    VOLUME = "volume"
    UNDECIDED_ROLLOUT = "undecided_rollout"
