"""Open vocabularies of trainings."""

from __future__ import annotations

from enum import StrEnum


class TriggerKind(StrEnum):
    """The trigger of a training.

    `registration`: a model that was made elsewhere is evaluated, and nothing is fitted. `new_labels`: the labelled rows
    have grown by a tenth. `suspicion`: the performance may have dropped.

    Unknown: the trigger counts as automatic, and starts a training only if `retrain.on` names it.
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
    """The rule that decides when a model is trained again.

    Unknown: `rondo apply` refuses the spec. A stored spec with it retrains by the triggers that it lists.
    """

    AUTO = "auto"
    TRIGGERS = "triggers"


class SkipReason(StrEnum):
    """The reason why a trigger led to no training.

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


class RunState(StrEnum):
    """The state of a training run, or of a decision not to train, which is `skipped`.

    Unknown: the client waits for another state, and after its time shows the word as it is.
    """

    RUNNING = "running"
    TRAINED = "trained"
    FAILED = "failed"
    SKIPPED = "skipped"


class AdaptationStrategy(StrEnum):
    """The rows that a training takes.

    `since`: the rows since the last confirmed change. `all`: all rows. `fading`: all rows, with weights that halve
    after a constant number of rows. `champion`: none, because the champion is kept. `last N`, such as `last 800`: the N
    newest rows.

    Unknown: shown as it is. The number of rows and the time of the first row are separate fields.
    """

    SINCE = "since"
    ALL = "all"
    FADING = "fading"
    CHAMPION = "champion"


class TrainerKind(StrEnum):
    """The kind of trainer: a library, or a user's own function.

    Unknown: `rondo apply` refuses the spec. A run of a stored spec with it fails and names the kind.
    """

    LIGHTGBM = "lightgbm"
    XGBOOST = "xgboost"
    SKLEARN = "sklearn"
    FUNCTION = "function"


class ParameterOrigin(StrEnum):
    """The origin of a model's parameters: the spec, the champion at the time, or the search of its training.

    Unknown: shown as it is.
    """

    SPEC = "spec"
    CHAMPION = "champion"
    SEARCH = "search"


class EndedTrialState(StrEnum):
    """The end of a trial of a search: with a metric on each inner split, after some of them, or by an error.

    Unknown: shown as it is.
    """

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


class NoteCode(StrEnum):
    """The subject of a note on a training: its rows, its search, its ensemble, or a model that was made elsewhere.

    Unknown: shown with its message.
    """

    REPEATED_ROWS = "repeated_rows"
    REPEATED_HOLDOUT = "repeated_holdout"
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
