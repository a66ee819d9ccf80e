"""Mistakes in the values and the YAML of `rondo.yaml`: the right text, the wrong one, the reported problem."""

from __future__ import annotations

GOOD = """\
model: flight-delay
data: {dataset: flights, entity: flight_id, event_time: departure, label: late, label_delay: 6h}
features:
  carrier: {type: category}
  distance: {type: float, min: 0}
  temp: {type: float, optional: true, max: 60}
trainer: {params: {n_estimators: 100, learning_rate: 1e-3}}
gates: {slices: [carrier], fairness: {by: carrier, max_gap: 0.1}}
retrain:
  on: [drift, "cron: 0 3 * * 1"]
  cooldown: 1d
rollout: {strategy: replace}
monitor: {false_alarm_rate: 0.01}
"""
DURATION = "is not a duration: write a number and a unit, such as 90s, 15m, 6h, 14d or 2w"
TRIGGER = (
    "is not a trigger: use one of data, drift, performance, quality or, in quotes, "
    '"cron: 0 3 * * 1" (minute hour day month weekday, and a time zone if it is not UTC)'
)
NAME = "expected a name of a-z, 0-9, - and _, at most 63 long, that begins with one of a-z"

MISTAKES = {
    "capital trigger": ("[drift,", "[Drift,", f"line 10: `retrain.on.0`: 'Drift' {TRIGGER}; did you mean 'drift'?"),
    "no trigger": ("[drift,", "[yearly,", f"line 10: `retrain.on.0`: 'yearly' {TRIGGER}"),
    "a misspelt detector": (
        "0.01}",
        "0.01, detectors: [psi, waserstein]}",
        "line 13: `monitor.detectors.1`: 'waserstein' is not a detector: did you mean 'wasserstein'?",
    ),
    "no detector": (
        "0.01}",
        "0.01, detectors: [x]}",
        (
            "line 13: `monitor.detectors.0`: 'x' is not a detector: use one of psi, ks, total_variation, "
            "jensen_shannon, wasserstein, missing, unseen, out_of_range, or `package.module:Class` for one of your own"
        ),
    ),
    "a detector that is no class": (
        "0.01}",
        '0.01, detectors: ["own.detectors:1st"]}',
        "line 13: `monitor.detectors.0`: '1st' is not a name in Python: write `package.module:Class`",
    ),
    "an alarm by a detector that is no class of one's own": (
        "0.01}",
        "0.01, alarm_detectors: [psi]}",
        (
            "line 13: `monitor.alarm_detectors.0`: 'psi' is not a class of your own: the evidence watches all columns "
            "without it, and `monitor.detectors` reports it. Remove it"
        ),
    ),
    "a run length that is a time": (
        "0.01}",
        "0.01, run_length: 365d}",
        (
            "line 13: `monitor.run_length`: '365d' is not a number of rows: multiply the rows of a day by the days, "
            "such as 1000000"
        ),
    ),
    "an alarm by a misspelt class": (
        "0.01}",
        "0.01, alarm_detectors: [Entropy]}",
        "line 13: `monitor.alarm_detectors.0`: 'Entropy' is not a class of your own: write `package.module:Class`",
    ),
    "unknown key": ("min: 0", "mim: 0", "line 5: `features.distance.mim` is not a known key: did you mean `min`?"),
    "unknown part": ("retrain:", "retrian:", "line 9: `retrian` is not a known key: did you mean `retrain`?"),
    "nothing close": (
        "by: carrier",
        "by: carrier, zzz: 1",
        "line 8: `gates.fairness.zzz` is not a known key; known here: by, metric, max_gap",
    ),
    "the field's name in the code": (
        "max: 60",
        "source: weather",
        (
            "line 6: `features.temp.source` is not a known key; known here: "
            "type, optional, min, max, values, from, column, on, max_age"
        ),
    ),
    "missing key": ("dataset: flights, ", "", "line 2: `data.dataset` is missing"),
    "missing part": ("model: flight-delay\n", "", "line 1: `model` is missing"),
    "no such type": (
        "type: float, min",
        "type: flaot, min",
        (
            "line 5: `features.distance.type`: 'flaot' is none of 'category', 'float', 'int', 'bool', the types that "
            "this release of rondo knows"
        ),
    ),
    "text for a number": ("min: 0", "min: low", "line 5: `features.distance.min`: expected a number"),
    "fraction for a count": (
        "cooldown: 1d",
        "cooldown: 1d\n  budget_per_week: 1.5",
        "line 12: `retrain.budget_per_week`: expected a whole number",
    ),
    "infinite": ("min: 0", "min: .inf", "line 5: `features.distance.min`: expected a finite number"),
    "not a number": ("min: 0", "min: .nan", "line 5: `features.distance.min`: expected a finite number"),
    "text for a yes": ("min: 0", "optional: maybe", "line 5: `features.distance.optional`: expected true or false"),
    "number for a text": (
        "{type: category}",
        "{type: category, values: [1]}",
        "line 4: `features.carrier.values.0`: expected a text: put it in quotes",
    ),
    "no list": (
        'on: [drift, "cron: 0 3 * * 1"]',
        "on: drift",
        "line 10: `retrain.on`: expected a list, such as [a, b]",
    ),
    "a word for a feature": (
        "carrier: {type: category}",
        "carrier: category",
        "line 4: `features.carrier`: expected keys and their values, such as {key: value}",
    ),
    "nothing for a feature": (
        "carrier: {type: category}",
        "carrier:",
        "line 4: `features.carrier`: expected keys and their values, such as {key: value}",
    ),
    "no values": (
        "{type: category}",
        "{type: category, values: []}",
        "line 4: `features.carrier.values`: is empty; give at least one",
    ),
    "bad duration": ("6h", "6 hours", f"line 2: `data.label_delay`: '6 hours' {DURATION}"),
    "duration without a unit": ("6h", "6", f"line 2: `data.label_delay`: 6 {DURATION}"),
    "endless duration": (
        "6h",
        "99999999999w",
        "line 2: `data.label_delay`: 99999999999w is longer than 5200w: check the number and the unit",
    ),
    "window of nothing": (
        "false_alarm_rate: 0.01",
        "window: 0s",
        "line 13: `monitor.window`: must be longer than nothing, such as 1h",
    ),
    "thresholds of windows": (
        "false_alarm_rate: 0.01",
        "min_rows: 500",
        (
            "line 13: `monitor`: `min_rows` is no key any more: evidence accumulates until it suffices, with ten rows "
            "a day or ten million. Remove it"
        ),
    ),
    "bad name": ("flight-delay", "Flight Delay", f"line 1: `model`: {NAME}"),
    "path as a name": ("dataset: flights", "dataset: ../flights", f"line 2: `data.dataset`: {NAME}"),
    "bad column": (
        "carrier: {type",
        "the carrier: {type",
        (
            "line 4: `features.the carrier`: expected a name of A-Z, a-z, 0-9 and _, at most 63 long, that begins "
            "with no digit"
        ),
    ),
    "duplicate feature": (
        "  distance:",
        "  carrier: {type: int}\n  distance:",
        "line 5: `carrier` is a duplicate key; keep one",
    ),
    "tab": ("  carrier", "\tcarrier", "line 4: not valid YAML: found character '\\t' that cannot start any token"),
    "alias": (
        "{type: category}",
        "&c {type: category}\n  other: *c",
        "line 5: not valid YAML: the alias *c can't be used here: write the value out",
    ),
    "python object": (
        "flight-delay",
        "!!python/name:os.system",
        "line 1: not valid YAML: the tag !!python/name:os.system can't be used here: write the value alone",
    ),
    "bell": ("by: carrier", "by: \x07", "line 8: not valid YAML: the character U+0007 is not allowed"),
    "huge number": ("min: 0", "min: " + "9" * 5000, "line 5: not valid YAML: a number too large for 64 bits"),
}
