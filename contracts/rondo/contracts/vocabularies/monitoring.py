"""Open vocabularies of monitoring."""

from __future__ import annotations

from enum import StrEnum


class StatisticName(StrEnum):
    """What a figure measures.

    `psi` is the population stability index, `ks` the Kolmogorov-Smirnov distance, `total_variation` that distance for
    categories, `jensen_shannon` the distance of that name, `wasserstein` that of ranks in the reference. `missing` and
    `unseen` are shares of rows (0 to 1). `unknown_classes` is the share of outcomes whose class the model does not
    know, `mean_error` the mean of outcome minus prediction. `level` and `spread` are means of the first two Legendre
    polynomials of a value's rank in the reference (0 without a change), `share` is that of a category, and `loss` the
    mean loss between 0 and 1. `calibration` is the mean of outcome minus prediction, of a number as a share of the
    error whose loss is 1: 0 where predictions are neither too high nor too low. `silence` is the time without a row,
    and `lag` how far the newest event time is behind, both in seconds. `skew` is the share of rows whose value was
    published differently than it was served, `repeated_requests` that of requests with the entity and event time of an
    earlier one, `repeated_features` that of those with its features, `failed_rows` that of rows that a model gives no
    prediction for, `volume` the number of requests. The others are metrics, named as in the gates of a
    spec.

    Unknown: shown by its name; in a finding it counts as found.
    """

    PSI = "psi"
    KS = "ks"
    TOTAL_VARIATION = "total_variation"
    JENSEN_SHANNON = "jensen_shannon"
    WASSERSTEIN = "wasserstein"
    MISSING = "missing"
    UNSEEN = "unseen"
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


class ColumnStatisticName(StrEnum):
    """A statistic of columns that `monitor.detectors` of a spec may name. It is reported of each window.

    `psi`, `jensen_shannon`, `missing`: of each column. `ks`, `wasserstein`: of each with an order. `total_variation`,
    `unseen`: of each with categories.

    Beside these a spec may name a class of the user's own, as `package.module:Class`.

    Unknown: `rondo apply` refuses the spec. A stored spec with it reports the others.
    """

    PSI = "psi"
    KS = "ks"
    TOTAL_VARIATION = "total_variation"
    JENSEN_SHANNON = "jensen_shannon"
    WASSERSTEIN = "wasserstein"
    MISSING = "missing"
    UNSEEN = "unseen"


class ProfileKind(StrEnum):
    """How a reference profile describes a column.

    Unknown: the column is not compared. The profile is kept as it is.
    """

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class EstimateMethod(StrEnum):
    """How a figure of performance was estimated.

    `expected` follows from the predictions alone: rows with like predictions are taken to be as often right, or as far
    off, as on the holdout. `prediction_powered` corrects that by the outcomes that are there, if they are few.

    Unknown: shown by its name.
    """

    EXPECTED = "expected"
    PREDICTION_POWERED = "prediction_powered"


class WindowRole(StrEnum):
    """What a version was when its window closed, or when something was found of it.

    `champion`: it answers as the primary, and evidence and alarms are about it. `replaced`: another version serves in
    its place, so that its figures describe, and decide nothing. `canary` and `shadow`: it answers beside the champion,
    and what is found of it starts no training.

    Unknown: shown as it is.
    """

    CHAMPION = "champion"
    REPLACED = "replaced"
    CANARY = "canary"
    SHADOW = "shadow"


class QualityProblem(StrEnum):
    """What is wrong with the data of a model.

    `values`: its requests have missing or unseen values. `silence`: no request arrives, and `no_outcomes`: no outcome,
    for much longer than usual. `stale`: the event times of the requests no longer advance with the clock. `skew`:
    features were published with other values than they were served with. `repeated_requests`: requests repeat the
    entity and event time of others. `repeated_features`: they repeat the features of others more often than the rows of
    the training do. `failed_rows`: the model gives no prediction for many of them. `volume`: far fewer or far more
    requests come than in the same hours of the weeks before.

    Unknown: shown as it is. It triggers no training: only `values` does.
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
    """Whether a change of the inputs or predictions is likely to make a model worse.

    `likely`: the loss that is to be expected has risen beyond chance. `none`: it can hardly have risen, or the model
    hardly relies on what has changed. `uncertain`: neither.

    Unknown: shown as it is.
    """

    LIKELY = "likely"
    NONE = "none"
    UNCERTAIN = "uncertain"


class Severity(StrEnum):
    """How urgent an alert is.

    Unknown: shown as it is.
    """

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertKind(StrEnum):
    """What an alert is about.

    `drift`, `performance` and `quality` are those of the findings, and `slices` is a worse performance for slices.
    `no_verdict` is that the inputs can't be judged after a week and twice the expected time, or after as many rows as
    the version was trained on, `no_performance_verdict` that its losses can't. `coverage` is that many requests count
    in no window. `silence`, `no_outcomes`, `stale`, `skew`, `repeated_requests`, `repeated_features`, `failed_rows` and
    `volume` are as in `QualityProblem`. `detector_failed` is that a detector of the user's own reports nothing of a
    window. `canary` and `shadow` are that what such a version is asked or answers differs from its own training.
    `undecided_rollout` is that a rollout waits for the decision of a person.

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
