"""What a person sees who gets `rondo.yaml` wrong: the line, what is wrong, and what would be right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec import ModelSpec
from rondo.contracts.spec_file import MAX_BYTES, SpecError, parse_spec

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
FLIGHTS = Path(__file__).parents[2] / "examples" / "flights" / "rondo.yaml"
_DURATION = "is not a duration: write a number and a unit, such as 90s, 15m, 6h, 14d or 2w"
_TRIGGER = (
    "is no trigger: use one of data, drift, performance, quality or, in quotes, "
    '"cron: 0 3 * * 1" (minute hour day month weekday)'
)
_NAME = "expected a name of a-z, 0-9, - and _, at most 63 long, that begins with a letter"


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        parse_spec(text)
    return caught.value.problems


def test_a_stored_spec_from_before_a_rule_is_read() -> None:
    """It was accepted then, and what it asks for goes on; who writes it again is told."""
    stored = parse_spec(GOOD).as_dict()
    stored["features"] |= {"flight_id": {"type": "category", "from": "flights"}}
    stored |= {"rollout": {"strategy": "canary"}, "trainer": {"params": {"n_estimator": 100}}}
    read = ModelSpec.from_json(json.dumps(stored))
    assert list(read.features)[-1] == "flight_id"
    assert (read.rollout.strategy, read.trainer.params) == ("canary", {"n_estimator": 100})


def test_a_good_spec_is_read() -> None:
    spec = parse_spec(GOOD)
    assert (spec.model, list(spec.features)) == ("flight-delay", ["carrier", "distance", "temp"])


def test_the_example_that_newcomers_copy_is_read() -> None:
    assert parse_spec(FLIGHTS.read_text()).model == "flight-delay"


CASES = {
    "unknown key": ("min: 0", "mim: 0", "line 5: `features.distance.mim` is not a known key: did you mean `min`?"),
    "unknown part": ("retrain:", "retrian:", "line 9: `retrian` is not a known key: did you mean `retrain`?"),
    "nothing close": (
        "by: carrier",
        "by: carrier, zzz: 1",
        "line 8: `gates.fairness.zzz` is not a known key; known here: by, max_gap",
    ),
    "the field's name in the code": (
        "max: 60",
        "source: weather",
        (
            "line 6: `features.temp.source` is not a known key; known here: "
            "type, optional, min, max, values, from, on, max_age"
        ),
    ),
    "missing key": ("dataset: flights, ", "", "line 2: `data.dataset` is missing"),
    "missing part": ("model: flight-delay\n", "", "line 1: `model` is missing"),
    "no such type": (
        "type: float, min",
        "type: flaot, min",
        "line 5: `features.distance.type`: 'flaot' is none of 'category', 'float', 'int', 'bool'",
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
    "bad duration": ("6h", "6 hours", f"line 2: `data.label_delay`: '6 hours' {_DURATION}"),
    "duration without a unit": ("6h", "6", f"line 2: `data.label_delay`: 6 {_DURATION}"),
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
            "line 5: `features.late`: the label 'late' is also a feature: the model would be told the answer it is "
            "asked for; take 'late' out of `features`"
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
    "entity as the event time": (
        "event_time: departure",
        "event_time: flight_id",
        "line 2: `data.event_time`: 'flight_id' is both the entity and the event time: each needs a column of its own",
    ),
    "slice of no feature": (
        "slices: [carrier]",
        "slices: [carrier, carier]",
        "line 8: `gates.slices.1`: 'carier' is no feature of this model; it has carrier, distance, temp",
    ),
    "fairness by no feature": (
        "by: carrier",
        "by: gender",
        "line 8: `gates.fairness.by`: 'gender' is no feature of this model; it has carrier, distance, temp",
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
            "line 6: `features.temp.from` asks for a point-in-time join, which is not executed yet: join the column "
            "into the batches and send it in the requests, and leave out `from`, `on` and `max_age`"
        ),
    ),
    "strategy that nobody executes": (
        "strategy: replace",
        "strategy: canary",
        (
            "line 12: `rollout.strategy`: canary is not executed yet: use `replace`, which takes over after the gates "
            "and a warm-up"
        ),
    ),
    "library that nobody executes": (
        "trainer: {",
        "trainer: {kind: xgboost, ",
        "line 7: `trainer.kind`: xgboost is not executed yet: use `lightgbm`",
    ),
    "unknown trigger": ("drift,", "drfit,", f"line 10: `retrain.on.0`: 'drfit' {_TRIGGER}"),
    "number as a trigger": ("drift,", "5,", f"line 10: `retrain.on.0`: 5 {_TRIGGER}"),
    "cron without quotes": (
        '"cron: 0 3 * * 1"',
        "cron: 0 3 * * 1",
        f"line 10: `retrain.on.1`: {{'cron': '0 3 * * 1'}} {_TRIGGER}",
    ),
    "cron without fields": ("0 3 * * 1", "daily", f"line 10: `retrain.on.1`: 'cron: daily' {_TRIGGER}"),
    "minute that no hour has": (
        "0 3 * * 1",
        "0,60 3 * * 1",
        "line 10: `retrain.on.1`: 'cron: 0,60 3 * * 1': 60 is no minute: write 0 to 59",
    ),
    "steps of nothing": (
        "0 3 * * 1",
        "*/0 3 * * 1",
        "line 10: `retrain.on.1`: 'cron: */0 3 * * 1': */0 has steps of 0: write 1 or more",
    ),
    "steps of what has none": (
        "strategy: replace",
        "strategy: replace, steps: [5, 25, 100]",
        "line 12: `rollout.steps`: `replace` takes over at once and has no steps: leave it out",
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
            "for each published row has its batch's id there: rename it"
        ),
    ),
    "name that the model needs": (
        "temp: {",
        "score: {",
        (
            "line 6: `features.score`: 'score' can't be the name of a column, "
            "for the model's output is called so: rename it"
        ),
    ),
    "limit that no model sees": (
        "max: 60",
        "max: 1e39",
        "line 6: `features.temp.max`: 1e+39 is more than float32 holds, and a model sees no more",
    ),
    "limits without a whole number": (
        "type: float, min: 0",
        "type: int, min: 0.2, max: 0.8",
        "line 5: `features.distance.min`: no whole number is from 0.2 to 0.8",
    ),
    "seed below zero": (
        "trainer: {",
        "trainer: {seed: -1, ",
        "line 7: `trainer.seed` is -1, and must be from 0 to 2147483647",
    ),
    "function without a name": (
        "trainer: {",
        "trainer: {kind: function, ",
        "line 7: `trainer.kind`: kind `function` needs `function: package.module:name`",
    ),
    "name without a function": (
        "trainer: {",
        "trainer: {function: 'a.b:c', ",
        "line 7: `trainer.function`: `function` is for kind `function`, and this is lightgbm: take one of the two out",
    ),
    "path for a function": (
        "trainer: {",
        "trainer: {kind: function, function: ../../x.py, ",
        "line 7: `trainer.function`: expected package.module:function",
    ),
    "list as a parameter": (
        "n_estimators: 100",
        "n_estimators: [1, 2]",
        (
            "line 7: `trainer.params.n_estimators`: [1, 2] can't be a parameter: "
            "give a finite number, a text, true or false"
        ),
    ),
    "unknown parameter": (
        "n_estimators: 100",
        "n_estimator: 100",
        "line 7: `trainer.params.n_estimator` is not a LightGBM parameter: did you mean `n_estimators`?",
    ),
    "parameter with two letters swapped": (
        "learning_rate: 1e-3",
        "leaning_rate: 1e-3",
        "line 7: `trainer.params.leaning_rate` is not a LightGBM parameter: did you mean `learning_rate`?",
    ),
    "parameter that the trainer sets": (
        "n_estimators: 100",
        "random_state: 3",
        "line 7: `trainer.params.random_state` is set by the trainer: write `trainer.seed`",
    ),
    "text for a parameter's number": (
        "n_estimators: 100",
        "n_estimators: many",
        "line 7: `trainer.params.n_estimators` is 'many', and must be a whole number",
    ),
    "parameter out of range": (
        "n_estimators: 100",
        "n_estimators: 0",
        "line 7: `trainer.params.n_estimators` is 0, and must be from 1 to 5000",
    ),
    "bad name": ("flight-delay", "Flight Delay", f"line 1: `model`: {_NAME}"),
    "path as a name": ("dataset: flights", "dataset: ../flights", f"line 2: `data.dataset`: {_NAME}"),
    "bad column": (
        "carrier: {type",
        "the carrier: {type",
        (
            "line 4: `features.the carrier`: expected a name of letters, digits and _, at most 63 long, that begins "
            "with no digit"
        ),
    ),
    "duplicate feature": (
        "  distance:",
        "  carrier: {type: int}\n  distance:",
        "line 5: `carrier` stands twice; keep one",
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


@pytest.mark.parametrize(("right", "wrong", "problem"), CASES.values(), ids=CASES.keys())
def test_a_mistake_is_named_with_its_line(right: str, wrong: str, problem: str) -> None:
    assert right in GOOD
    assert problem in problems(GOOD.replace(right, wrong, 1))


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "- a\n- b\n", "hello", "~"])
def test_a_file_that_holds_no_spec_is_told_how_one_begins(text: str) -> None:
    assert problems(text) == ("line 1: expected `model: <name>` and the other parts; see examples/flights/rondo.yaml",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("model: [", "line 1: not valid YAML: expected the node content, but found '<stream end>'"),
        ("a: 1\n---\nb: 2\n", "line 2: not valid YAML: but found another document"),
        ("? [a, b]\n: 1\n", "line 1: not valid YAML: found unhashable key"),
        ("a: &a [*a]\n", "line 1: not valid YAML: the alias *a can't be used here: write the value out"),
        ("seed: !!int abc", "line 1: not valid YAML: the tag !!int can't be used here: write the value alone"),
        ("a: !!timestamp x", "line 1: not valid YAML: the tag !!timestamp can't be used here: write the value alone"),
        ("a: !!bool maybe", "line 1: not valid YAML: the tag !!bool can't be used here: write the value alone"),
        ("a: !!map [1]", "line 1: not valid YAML: the tag !!map can't be used here: write the value alone"),
        ("a: !own b", "line 1: not valid YAML: the tag !own can't be used here: write the value alone"),
        ("[" * 5000, "line 1: not valid YAML: nested more than 20 deep"),
        ("\ud800", "line 1: not valid YAML: the character U+D800 is not allowed"),
    ],
)
def test_what_is_no_yaml_is_no_crash(text: str, problem: str) -> None:
    assert problems(text) == (problem,)


def test_a_key_of_the_whole_file_must_stand_once() -> None:
    assert problems(GOOD + "model: other\n") == ("line 14: `model` stands twice; keep one",)


def test_a_file_that_is_too_large_is_not_parsed() -> None:
    assert problems("#" * (MAX_BYTES + 1)) == ("it is larger than 256 KiB: this can't be a model spec",)


def test_every_fault_is_told_at_once_under_the_files_name() -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(GOOD.replace("min: 0", "mim: 0").replace("6h", "6"), "models/flights.yaml")
    assert str(caught.value) == (
        "models/flights.yaml can't be used:\n"
        f"  line 2: `data.label_delay`: 6 {_DURATION}\n"
        "  line 5: `features.distance.mim` is not a known key: did you mean `min`?"
    )


def test_what_parts_may_not_say_together_is_told_beside_what_is_wrong_with_one_of_them() -> None:
    """A fault of one part hides none of another: they are all mended in one go."""
    text = (
        GOOD.replace("model: flight-delay\n", "")
        .replace("dataset: flights, ", "")
        .replace("label: late, label_delay: 6h", "label: distance, label_delay: 6")
        .replace("{type: category}", "{type: categry}")
        .replace("min: 0", "min: low, values: [a]")
        .replace("n_estimators: 100", "n_estimator: 100")
        .replace("slices: [carrier]", "slices: [carier, 1, orgin]")
        .replace("drift,", "drfit,")
        .replace("strategy: replace", "strategy: canary, steps: [25, 5]")
        .replace("0.01", "2")
    )
    assert [problem.partition(": ")[2].partition("`: ")[0].partition("` ")[0] for problem in problems(text)] == [
        "`model",
        "`data.dataset",
        "`data.label_delay",
        "`features.carrier.type",
        "`features.distance.min",
        "`features.distance",
        "`features.distance.values",
        "`trainer.params.n_estimator",
        "`gates.slices.1",
        "`gates.slices.0",
        "`gates.slices.2",
        "`retrain.on.0",
        "`rollout.strategy",
        "`rollout.steps",
        "`monitor.false_alarm_rate",
    ]


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("[25, 5, 100]", "line 12: `rollout.steps`: the steps 25, 5, 100 must rise, such as 5, 25, 100"),
        ("[5.5, 100]", "line 12: `rollout.steps.0`: expected a whole number"),
        ("[]", "line 12: `rollout.steps`: is empty; give at least one"),
    ],
)
def test_what_is_wrong_with_steps_is_told_beside_that_they_are_not_walked_yet(steps: str, problem: str) -> None:
    told = problems(GOOD.replace("strategy: replace", f"strategy: canary, steps: {steps}"))
    assert problem in told
    assert "line 12: `rollout.strategy`: canary is not executed yet" in told[0] + told[-1]


def test_what_the_registry_gives_back_may_be_applied_again() -> None:
    """It has every default written out, those of the steps, too."""
    spec = parse_spec(GOOD)
    assert parse_spec(json.dumps(spec.as_dict())) == spec


def test_a_misspelt_part_is_no_reason_to_doubt_the_others() -> None:
    text = GOOD.replace("features:", "featurs:")
    assert problems(text) == (
        "line 1: `features` is missing",
        "line 3: `featurs` is not a known key: did you mean `features`?",
    )


def test_words_that_yaml_1_1_takes_for_something_else_are_words() -> None:
    """In YAML 1.1 `on` is true, `NO` is false, `12:30` is 750, `010` is 8 and `1e-3` is a text."""
    spec = parse_spec(
        GOOD.replace("{type: category}", "{type: category, values: [NO, on, y, 12:30, 2013-01-01]}").replace(
            "n_estimators: 100", "n_estimators: 010"
        )
    )
    assert spec.retrain.on == ("drift", "cron: 0 3 * * 1")
    assert spec.features["carrier"].values == ("NO", "on", "y", "12:30", "2013-01-01")
    assert spec.trainer.params == {"n_estimators": 10, "learning_rate": 0.001}


@pytest.mark.parametrize(
    ("name", "written", "read"),
    [
        ("max_depth", "0x10", 16),
        ("max_depth", "0o17", 15),
        ("max_depth", "-1", -1),
        ("lambda_l1", "1.", 1.0),
        ("lambda_l1", ".5", 0.5),
        ("lambda_l1", "1E3", 1000.0),
        ("extra_trees", "true", True),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(name: str, written: str, read: object) -> None:
    value = parse_spec(GOOD.replace("n_estimators: 100", f"{name}: {written}")).trainer.params[name]
    assert (value, type(value)) == (read, type(read))


@given(st.text(alphabet=st.sampled_from(list(":-[]{}&*!|>'\"#%@`, \n\tab1.~?<=")), max_size=60))
def test_whatever_is_typed_gives_a_spec_or_a_spec_error(text: str) -> None:
    with pytest.raises(SpecError, match="can't be used"):
        parse_spec(text)


@given(st.integers(0, len(GOOD)), st.integers(0, 30), st.sampled_from(["", "\n", ": ", "{", "x", "1", "~", "- "]))
def test_a_spec_with_a_piece_replaced_gives_a_spec_or_a_spec_error(start: int, length: int, piece: str) -> None:
    try:
        parse_spec(GOOD[:start] + piece + GOOD[start + length :])
    except SpecError as error:
        assert error.problems  # noqa: PT017 - either outcome is right; a crash is not
