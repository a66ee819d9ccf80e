"""Open vocabularies: the known values of the words by which events classify.

The field of an event is a text. A reader accepts a word that it does not know, keeps it as it is, and does what the
vocabulary documents for an unknown word. So a writer may add a word without a new version of the event.
"""

from __future__ import annotations

import inspect
from enum import StrEnum
from typing import Any

from pydantic import Field


class TriggerKind(StrEnum):
    """What triggered a training.

    A registration asks for no fit: a model that was made elsewhere is evaluated in the place of a trained one.
    `new_labels` is that the labelled rows have grown by a tenth, `suspicion` that the performance may have dropped.

    Unknown: an automatic trigger. It starts a training only if `retrain.on` names it.
    """

    DATA = "data"
    DRIFT = "drift"
    PERFORMANCE = "performance"
    QUALITY = "quality"
    NEW_LABELS = "new_labels"
    SUSPICION = "suspicion"
    SCHEDULE = "schedule"
    MANUAL = "manual"
    REGISTRATION = "registration"


class RetrainPolicy(StrEnum):
    """What decides that a model is trained again.

    Unknown: `rondo apply` refuses the spec. A stored spec with it retrains by the triggers that it lists.
    """

    AUTO = "auto"
    TRIGGERS = "triggers"


class SkipReason(StrEnum):
    """Why a trigger led to no training.

    Unknown: shown as it is; a skipped run is recorded with it.
    """

    IN_FLIGHT = "in_flight"
    COOLDOWN = "cooldown"
    BUDGET = "budget"
    NOT_ENOUGH_DATA = "not_enough_data"
    NO_NEW_DATA = "no_new_data"
    NOT_SUBSCRIBED = "not_subscribed"
    NO_SPEC = "no_spec"
    BREAKER_OPEN = "breaker_open"
    NO_HARM = "no_harm"
    NO_GAIN = "no_gain"


class RouteRole(StrEnum):
    """What a version does in a deployment.

    The primary is the champion: training sets, joins and findings use its predictions alone. A canary answers its
    share of the requests. A shadow scores requests, and its answers are not published.

    Unknown: serving refuses the deployment and keeps the versions that it serves. Readers of predictions skip them.
    """

    PRIMARY = "primary"
    CANARY = "canary"
    SHADOW = "shadow"


class EvidenceScope(StrEnum):
    """Which requests both versions of a rollout score: all, or those that the canary answers.

    Unknown: as `all`.
    """

    ALL = "all"
    CANARY = "canary"


class ReplicaState(StrEnum):
    """How far a serving replica is with a version.

    Unknown: the replica has reported nothing that counts: it neither serves the version nor refuses it.
    """

    LOADING = "loading"
    AVAILABLE = "available"
    DRAINING = "draining"
    UNLOADED = "unloaded"
    REFUSED = "refused"


class Source(StrEnum):
    """How a batch arrived.

    Unknown: shown as it is.
    """

    HTTP = "http"
    KAFKA = "kafka"
    FOLDER = "folder"


class StatisticName(StrEnum):
    """What a figure measures.

    `psi` is the population stability index, `ks` the Kolmogorov-Smirnov distance, `total_variation` that distance for
    categories, `jensen_shannon` the distance of that name, `wasserstein` that of ranks in the reference; `missing` and
    `unseen` are shares of rows (0 to 1). `unknown_classes` is the share of outcomes whose class the model does not
    know, `mean_error` the mean of outcome minus prediction. `level` and `spread` are means of the first two Legendre
    polynomials of a value's rank in the reference (0 without a change), `share` is that of a category, and `loss` the
    mean loss between 0 and 1. `silence` is the time without a row, and `lag` how far the newest event time is behind,
    both in seconds. `skew` is the share of rows whose value was published differently than it was served,
    `repeated_requests` that of requests with the entity and event time of an earlier one, `repeated_features` that of
    those with its features. The others are metrics, named as in the gates of a spec.

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
    SILENCE = "silence"
    LAG = "lag"
    SKEW = "skew"
    REPEATED_REQUESTS = "repeated_requests"
    REPEATED_FEATURES = "repeated_features"


class QualityProblem(StrEnum):
    """What is wrong with the data of a model.

    `values`: its requests have missing or unseen values. `silence`: no request arrives, and `no_outcomes`: no outcome,
    for much longer than usual. `stale`: the event times of the requests no longer advance with the clock. `skew`:
    features were published with other values than they were served with. `repeated_requests`: requests repeat the
    entity and event time of others. `repeated_features`: they repeat the features of others more often than the rows of
    the training do.

    Unknown: shown as it is. It triggers no training: only `values` does.
    """

    VALUES = "values"
    SILENCE = "silence"
    NO_OUTCOMES = "no_outcomes"
    STALE = "stale"
    SKEW = "skew"
    REPEATED_REQUESTS = "repeated_requests"
    REPEATED_FEATURES = "repeated_features"


class WindowRole(StrEnum):
    """What the version of a closed window was when the window closed.

    `champion`: evidence and alarms are about it. `replaced`: another version serves in its place, so that its figures
    describe, and decide nothing.

    Unknown: shown as it is.
    """

    CHAMPION = "champion"
    REPLACED = "replaced"


class EstimateMethod(StrEnum):
    """How a figure of performance was estimated.

    `expected` follows from the predictions alone: rows with like predictions are taken to be as often right, or as far
    off, as on the holdout. `prediction_powered` corrects that by the outcomes that are there, if they are few.

    Unknown: shown by its name.
    """

    EXPECTED = "expected"
    PREDICTION_POWERED = "prediction_powered"


class DetectorName(StrEnum):
    """A detector that the spec may name: what it reports of the columns of each window.

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

    `drift`, `performance` and `quality` are those of the findings. `no_verdict` is that the inputs can't be judged
    after as many rows as the version was trained on, `no_performance_verdict` that its losses can't. `coverage` is that
    many requests count in no window. `silence`, `no_outcomes`, `stale`, `skew`, `repeated_requests` and
    `repeated_features` are as in `QualityProblem`. `detector_failed` is that a detector of the user's own reports
    nothing of a window.

    Unknown: shown as it is.
    """

    DRIFT = "drift"
    PERFORMANCE = "performance"
    QUALITY = "quality"
    NO_VERDICT = "no_verdict"
    NO_PERFORMANCE_VERDICT = "no_performance_verdict"
    COVERAGE = "coverage"
    DETECTOR_FAILED = "detector_failed"
    SILENCE = "silence"
    NO_OUTCOMES = "no_outcomes"
    STALE = "stale"
    SKEW = "skew"
    REPEATED_REQUESTS = "repeated_requests"
    REPEATED_FEATURES = "repeated_features"


class TrainerKind(StrEnum):
    """What trains: a library, or a function of the user's own.

    Unknown: `rondo apply` refuses the spec. The run of such a spec fails and names the kind.
    """

    LIGHTGBM = "lightgbm"
    XGBOOST = "xgboost"
    SKLEARN = "sklearn"
    FUNCTION = "function"


class ParameterOrigin(StrEnum):
    """Where the parameters of a model come from: the spec, the champion at the time, or the search of its training.

    Unknown: shown as it is.
    """

    SPEC = "spec"
    CHAMPION = "champion"
    SEARCH = "search"


class NoteCode(StrEnum):
    """What a note on a training is about: its rows, its search, its ensemble, or a model that was made elsewhere.

    Unknown: shown with its message.
    """

    REPEATED_ROWS = "repeated_rows"
    ROWS_WITHOUT_FEATURE = "rows_without_feature"
    NO_VALUES = "no_values"
    CONSTANT = "constant"
    UNSEEN_CATEGORY = "unseen_category"
    RARE_CLASS = "rare_class"
    UNKNOWN_CLASS = "unknown_class"
    ABSENT_CLASS = "absent_class"
    SEARCH_SPLIT_SKIPPED = "search_split_skipped"
    SEARCH_ENDED_BY_TIME = "search_ended_by_time"
    ENSEMBLE = "ensemble"
    ENSEMBLE_LEFT_OUT = "ensemble_left_out"
    UNUSED_FEATURES = "unused_features"
    ASSUMED_CLASSES = "assumed_classes"
    UNKNOWN_TRAINING_ROWS = "unknown_training_rows"
    FEW_LATER_ROWS = "few_later_rows"
    NEEDS_VALUE = "needs_value"
    FAILS_ON_EDGES = "fails_on_edges"


class ProfileKind(StrEnum):
    """How a reference profile describes a column.

    Unknown: the column is not compared. The profile is kept as it is.
    """

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class RolloutStrategy(StrEnum):
    """How a version takes over.

    `replace`: all requests at once. `canary`: a growing share of them, by steps. `blue_green`: none until the evidence
    suffices, then all at once. `shadow`: none, until a person decides. `ab`: one share, until one is better.

    Unknown: `rondo apply` refuses the spec. A stored spec with it rolls out by `replace`.
    """

    REPLACE = "replace"
    CANARY = "canary"
    BLUE_GREEN = "blue_green"
    SHADOW = "shadow"
    AB = "ab"


class RolloutState(StrEnum):
    """How far a rollout is.

    `running`: it goes on by the evidence. `paused`: a person stopped its steps. `asking`: a person is to decide.
    `watching`: the candidate was promoted, and goes back without a question if it turns out worse. The others are ends:
    `superseded` is that a decision by hand made another version the champion.

    Unknown: shown as it is.
    """

    RUNNING = "running"
    PAUSED = "paused"
    ASKING = "asking"
    WATCHING = "watching"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    SUPERSEDED = "superseded"


class Inconclusive(StrEnum):
    """What follows where the evidence of a step does not suffice by its end.

    Unknown: `rondo apply` refuses the spec. A stored spec with it waits.
    """

    WAIT = "wait"
    ASK = "ask"
    BACK = "back"


class JudgedBy(StrEnum):
    """What decides about a rollout: outcomes, or errors, slow answers and disagreement alone.

    Unknown: `rondo apply` refuses the spec. A stored spec with it is judged by outcomes.
    """

    OUTCOMES = "outcomes"
    GUARDS = "guards"


class UnknownColumns(StrEnum):
    """What happens to a batch with columns that no model of its dataset names.

    Unknown: `rondo apply` refuses the spec. A stored spec with it behaves as `report`.
    """

    REJECT = "reject"
    REPORT = "report"
    IGNORE = "ignore"


def open_to(vocabulary: type[StrEnum]) -> Any:
    """Return what documents the known words of a text field in its JSON Schema, and what an unknown word means."""
    return Field(description=inspect.getdoc(vocabulary), examples=known(vocabulary))


def known(vocabulary: type[StrEnum]) -> list[str]:
    """Return the known words as plain texts."""
    return [word.value for word in vocabulary]
