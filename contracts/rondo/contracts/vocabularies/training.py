"""Open vocabularies of trainings."""

from __future__ import annotations

from enum import StrEnum


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

    Unknown: shown as it is. A skipped run is recorded with it.
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
    OUTDATED = "outdated"


class AdaptationStrategy(StrEnum):
    """Which rows a training takes.

    `since`: those since the last confirmed change. `all`: all of them. `fading`: all, with weights that halve every so
    many rows. `champion`: none, for what serves is kept. `last N`, such as `last 800`: so many of the newest.

    Unknown: shown as it is. The rows and the time of the first one are fields of their own.
    """

    SINCE = "since"
    ALL = "all"
    FADING = "fading"
    CHAMPION = "champion"


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


class EndedTrialState(StrEnum):
    """How a trial of a search ended: with a metric on each inner split, after some of them, or by an error.

    Unknown: shown as it is.
    """

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


class NoteCode(StrEnum):
    """What a note on a training is about: its rows, its search, its ensemble, or a model that was made elsewhere.

    Unknown: shown with its message.
    """

    REPEATED_ROWS = "repeated_rows"
    ROWS_WITHOUT_FEATURE = "rows_without_feature"
    ROWS_OUTSIDE_LIMITS = "rows_outside_limits"
    NO_VALUES = "no_values"
    CONSTANT = "constant"
    UNSEEN_CATEGORY = "unseen_category"
    RARE_CLASS = "rare_class"
    SAME_LABEL = "same_label"
    ROUNDED_LABELS = "rounded_labels"
    FEW_INTERVAL_ROWS = "few_interval_rows"
    UNDIVIDED_HOLDOUT = "undivided_holdout"
    LOW_COVERAGE = "low_coverage"
    DETERMINES_LABEL = "determines_label"
    UNKNOWN_CLASS = "unknown_class"
    ABSENT_CLASS = "absent_class"
    SEARCH_SPLIT_SKIPPED = "search_split_skipped"
    SEARCH_ENDED_BY_TIME = "search_ended_by_time"
    ENSEMBLE = "ensemble"
    ENSEMBLE_LEFT_OUT = "ensemble_left_out"
    UNUSED_FEATURES = "unused_features"
    ASSUMED_CLASSES = "assumed_classes"
    COMPARED_BY_CLIENT = "compared_by_client"
    UNKNOWN_TRAINING_ROWS = "unknown_training_rows"
    FEW_LATER_ROWS = "few_later_rows"
    NEEDS_VALUE = "needs_value"
    FAILS_ON_EDGES = "fails_on_edges"
