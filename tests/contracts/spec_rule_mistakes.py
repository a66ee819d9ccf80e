"""Contradictions and unsupported options in `rondo.yaml`, as rows like those of `spec_mistakes.MISTAKES`."""

from __future__ import annotations

from tests.contracts.spec_mistakes import TRIGGER

DAILY = (
    "line 10: `retrain.on.1`: 'cron: daily': it has 1 fields: write 5 (minute hour day month weekday), and a time zone"
    " if it is not UTC"
)
ZONE = (
    "line 10: `retrain.on.1`: 'cron: 0 3 * * 1 Europe/Berlln': Europe/Berlln is not a time zone: did you mean"
    " Europe/Berlin?"
)

RULE_MISTAKES = {
    "the entity is a feature": (
        "distance: {type: float",
        "flight_id: {type: float",
        (
            "line 5: `features.flight_id`: 'flight_id' is the entity and also a feature: rows carry it beside the "
            "features; give the feature a column of its own, or take it out"
        ),
    ),
    "the event time is a feature": (
        "distance: {type: float",
        "departure: {type: float",
        (
            "line 5: `features.departure`: 'departure' is the event time and also a feature: rows carry it beside the "
            "features; give the feature a column of its own, or take it out"
        ),
    ),
    "label as a feature": (
        "  distance:",
        "  late: {type: int}\n  distance:",
        (
            "line 5: `features.late`: the label 'late' is also a feature: the model would get the answer as an "
            "input; take 'late' out of `features`"
        ),
    ),
    "label as the entity": (
        "label: late",
        "label: flight_id",
        (
            "line 2: `data.label`: the label 'flight_id' is also the entity or the event time: "
            "each needs a column of its own"
        ),
    ),
    "one of two labels": (
        "label: late",
        "label: late, positive: UP",
        "line 2: `data.positive`: `positive` needs `negative` beside it: a misspelt label would count as one of them",
    ),
    "two equal labels": (
        "label: late",
        "label: late, positive: UP, negative: UP",
        "line 2: `data.negative`: 'UP' is also `positive`: the two labels must differ",
    ),
    "a label with blanks": (
        "label: late",
        "label: late, positive: 'UP ', negative: DOWN",
        "line 2: `data.positive`: the label 'UP ' is empty or has blanks around it: write it without them",
    ),
    "an unknown way with columns": (
        "label: late",
        "label: late, unknown_columns: drop",
        "line 2: `data.unknown_columns`: 'drop' is unknown: use one of reject, report, ignore",
    ),
    "entity as the event time": (
        "event_time: departure",
        "event_time: flight_id",
        "line 2: `data.event_time`: 'flight_id' is both the entity and the event time: each needs a column of its own",
    ),
    "slice of no feature": (
        "slices: [carrier]",
        "slices: [carrier, carier]",
        "line 8: `gates.slices.1`: 'carier' is not a feature of this model; it has carrier, distance, temp",
    ),
    "fairness by no feature": (
        "by: carrier",
        "by: gender",
        "line 8: `gates.fairness.by`: 'gender' is not a feature of this model; it has carrier, distance, temp",
    ),
    "limit of a category": (
        "{type: category}",
        "{type: category, min: 1}",
        "line 4: `features.carrier.min`: a category has no min: list its `values` instead",
    ),
    "values of a number": (
        "min: 0",
        "values: [a]",
        "line 5: `features.distance.values`: `values` is for a category, and this is a float: use min and max",
    ),
    "limits crossed": ("min: 0", "min: 5, max: 1", "line 5: `features.distance.min`: min 5 is above max 1"),
    "limits crossed, as texts": (
        "min: 0",
        "min: '5', max: '1'",
        "line 5: `features.distance.min`: min 5 is above max 1",
    ),
    "join": (
        "max: 60",
        "from: weather, on: [origin], max_age: 3h",
        (
            "line 6: `features.temp.from` asks for a point-in-time join, which is not supported yet: join the column "
            "into the batches and send it in the requests, and leave out `from`, `column`, `on` and `max_age`"
        ),
    ),
    "task that is unknown": (
        "model: flight-delay\n",
        "model: flight-delay\ntask: iris\n",
        "line 2: `task`: 'iris' is unknown: use one of binary, multiclass, regression",
    ),
    "strategy that is unknown": (
        "strategy: replace",
        "strategy: gradual",
        "line 12: `rollout.strategy`: 'gradual' is unknown: use one of replace, canary, blue_green, shadow, ab",
    ),
    "outcomes by answer where nothing is answered": (
        "strategy: replace",
        "strategy: shadow, outcome: depends_on_answer",
        "line 12: `rollout.outcome`: a version that answers nothing causes no outcomes: use the strategy canary or ab",
    ),
    "date of an end without a test": (
        "strategy: replace",
        "strategy: canary, until: 2026-12-24T00:00:00Z",
        "line 12: `rollout.until`: only a test of two versions ends at a date: use the strategy ab, or `max_wait`",
    ),
    "library that is not supported": (
        "trainer: {",
        "trainer: {kind: catboost, ",
        "line 7: `trainer.kind`: 'catboost' is unknown: use one of `lightgbm`, `xgboost`, `sklearn`, `function`",
    ),
    "function that is not a name": (
        "trainer: {",
        "trainer: {kind: function, function: 'own.1train:fit', ",
        "line 7: `trainer.function`: '1train' is not a name in Python: write `package.module:name`",
    ),
    "unknown trigger": ("drift,", "drfit,", f"line 10: `retrain.on.0`: 'drfit' {TRIGGER}; did you mean 'drift'?"),
    "number as a trigger": ("drift,", "5,", "line 10: `retrain.on.0`: expected a text: put it in quotes"),
    "cron without quotes": (
        '"cron: 0 3 * * 1"',
        "cron: 0 3 * * 1",
        "line 10: `retrain.on.1`: expected a text: put it in quotes",
    ),
    "cron with an unknown zone": (
        '"cron: 0 3 * * 1"',
        '"cron: 0 3 * * 1 Europe/Berlln"',
        ZONE,
    ),
    "cron without fields": (
        "0 3 * * 1",
        "daily",
        DAILY,
    ),
    "minute that no hour has": (
        "0 3 * * 1",
        "0,60 3 * * 1",
        "line 10: `retrain.on.1`: 'cron: 0,60 3 * * 1': 0,60 is not a minute: write 0 to 59",
    ),
    "steps of nothing": (
        "0 3 * * 1",
        "*/0 3 * * 1",
        "line 10: `retrain.on.1`: 'cron: */0 3 * * 1': */0 is not a minute: write 0 to 59",
    ),
    "steps of what has none": (
        "strategy: replace",
        "strategy: replace, steps: [5, 25, 100]",
        "line 12: `rollout.steps`: `replace` takes over at once and has no steps: leave it out",
    ),
    "steps that end when they begin": (
        "strategy: replace",
        "strategy: canary, step_length: 0h",
        "line 12: `rollout.step_length`: a step that lasts nothing ends before any evidence: give a length, such as 1h",
    ),
    "rate that no evidence reaches": (
        "strategy: replace",
        "strategy: canary, false_rollback_rate: 1e-323",
        "line 12: `rollout.false_rollback_rate`: less than 0.000001 needs more evidence than there is: such as 0.01",
    ),
    "length of a step that is none": (
        "strategy: replace",
        "step_length: 3d",
        "line 12: `rollout.step_length`: `replace` takes over at once and has no steps: leave it out",
    ),
    "name that ingestion needs": (
        "entity: flight_id",
        "entity: batch_id",
        (
            "line 2: `data.entity`: 'batch_id' can't be the name of a column, "
            "because published rows have the id of their batch there: rename it"
        ),
    ),
    "misspelt time zone": (
        "label: late",
        "time_zone: Europe/Berlinn, label: late",
        "line 2: `data.time_zone`: Europe/Berlinn is not a time zone: did you mean Europe/Berlin?",
    ),
    "time zone by an abbreviation": (
        "label: late",
        "time_zone: MESZ2, label: late",
        "line 2: `data.time_zone`: MESZ2 is not a time zone: write UTC, or a place such as Europe/Berlin",
    ),
    "names that differ by capitals": (
        "entity: flight_id",
        "entity: Carrier",
        (
            "line 2: `data.entity`: 'Carrier' differs from 'carrier' by capitals alone, which tables can't tell apart: "
            "rename one"
        ),
    ),
    "gate on a metric of another task": (
        "gates: {slices",
        "gates: {rmse: {max: 2}, slices",
        (
            "line 8: `gates.rmse` is no metric of binary: use one of roc_auc, average_precision, log_loss, brier, ece, "
            "accuracy, balanced_accuracy, precision, recall, f1, mcc, cost"
        ),
    ),
    "fairness by an unknown metric": (
        "max_gap: 0.1",
        "metric: selection_rat, max_gap: 0.1",
        (
            "line 8: `gates.fairness.metric`: 'selection_rat' is no metric of binary: use one of roc_auc, "
            "average_precision, log_loss, brier, ece, accuracy, balanced_accuracy, precision, recall, f1, mcc, cost, "
            "selection_rate, true_positive_rate, false_positive_rate; did you mean 'selection_rate'?"
        ),
    ),
    "a gate on costs that are not stated": (
        "gates: {slices",
        "gates: {cost: {max: 2}, slices",
        (
            "line 8: `gates.cost` needs the costs of errors: set `prediction: {cost: {false_positive: 1, "
            "false_negative: 5}}`, or leave the gate out"
        ),
    ),
    "a gate in percent": (
        "gates: {slices",
        "gates: {accuracy: {min: 60}, slices",
        "line 8: `gates.accuracy.min`: the accuracy is at most 1: write 0.6 for 60 %",
    ),
    "a gate that no model passes": (
        "gates: {slices",
        "gates: {log_loss: {max: -1}, slices",
        "line 8: `gates.log_loss.max`: the log loss is never below 0: use a positive bound",
    ),
    "a gate whose bounds are exchanged": (
        "gates: {slices",
        "gates: {roc_auc: {min: 0.9, max: 0.7}, slices",
        "line 8: `gates.roc_auc` has a `min` above its `max` (0.9 and 0.7): exchange them",
    ),
    "slices by costs that are not stated": (
        "gates: {slices",
        "gates: {slice_metric: cost, slices",
        (
            "line 8: `gates.slice_metric`: 'cost' needs the costs of errors: set `prediction: {cost: {false_positive: "
            "1, false_negative: 5}}`, or take another metric"
        ),
    ),
    "fairness by costs that are not stated": (
        "max_gap: 0.1",
        "metric: cost, max_gap: 0.1",
        (
            "line 8: `gates.fairness.metric`: 'cost' needs the costs of errors: set `prediction: {cost: "
            "{false_positive: 1, false_negative: 5}}`, or take another metric"
        ),
    ),
    "threshold and cost": (
        "rollout:",
        "prediction: {threshold: 0.4, cost: {false_positive: 1, false_negative: 5}}\nrollout:",
        "line 12: `prediction.threshold`: `cost` chooses the threshold: leave out `threshold`, or `cost`",
    ),
    "interval of a binary model": (
        "rollout:",
        "prediction: {interval: 0.9}\nrollout:",
        "line 12: `prediction.interval`: `interval` is for `task: regression`, and this is binary: leave it out",
    ),
    "limit that no model sees": (
        "max: 60",
        "max: 1e39",
        "line 6: `features.temp.max`: 1e+39 is more than float32 holds, and a model reads float32",
    ),
    "whole number that a model can't hold": (
        "type: float, min: 0",
        "type: int, max: 16777217",
        (
            "line 5: `features.distance.max`: a model reads float32, which holds whole numbers up to 16,777,216 "
            "exactly: use `type: category` for an identifier, "
            "or `type: float` for an amount that may be rounded to seven digits"
        ),
    ),
    "limits without a whole number": (
        "type: float, min: 0",
        "type: int, min: 0.2, max: 0.8",
        "line 5: `features.distance.min`: no whole number is from 0.2 to 0.8",
    ),
}
