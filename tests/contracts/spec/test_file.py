"""Every mistake in `rondo.yaml` is reported with its line and with what to write instead."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.file import MAX_BYTES, SpecError, parse_spec
from rondo.contracts.spec.model import ModelSpec

from tests.contracts.spec_mistakes import GOOD, MISTAKES
from tests.contracts.spec_rule_mistakes import RULE_MISTAKES
from tests.contracts.spec_trainer_mistakes import TRAINER_MISTAKES

FLIGHTS = Path(__file__).parents[3] / "examples" / "flights" / "rondo.yaml"


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        parse_spec(text)
    return caught.value.problems


def test_a_stored_spec_from_before_a_rule_is_read() -> None:
    """The spec was accepted before a check existed. Only a new file is checked."""
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


CASES = MISTAKES | RULE_MISTAKES | TRAINER_MISTAKES


@pytest.mark.medium
@pytest.mark.parametrize(("right", "wrong", "problem"), CASES.values(), ids=CASES.keys())
def test_a_mistake_is_named_with_its_line(right: str, wrong: str, problem: str) -> None:
    assert right in GOOD
    assert problem in problems(GOOD.replace(right, wrong, 1))


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "- a\n- b\n", "hello", "~"])
def test_a_file_without_a_spec_gets_the_first_lines_of_one(text: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith("line 1: ")
    assert "`model: <name>`" in problem
    assert Path(problem.rpartition(" ")[2]).exists()


@pytest.mark.medium
@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("model: [", 1, "stream end"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("? [a, b]\n: 1\n", 1, "key"),
        ("a: &a [*a]\n", 1, "*a"),
        ("seed: !!int abc", 1, "!!int"),
        ("a: !!timestamp x", 1, "!!timestamp"),
        ("a: !!bool maybe", 1, "!!bool"),
        ("a: !!map [1]", 1, "!!map"),
        ("a: !own b", 1, "!own"),
        ("[" * 5000, 1, "20"),
        ("\ud800", 1, "U+D800"),
    ],
)
def test_what_is_no_yaml_is_no_crash(text: str, line: int, named: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(f"line {line}: ")
    assert ("YAML" in problem, named in problem) == (True, True), problem


def test_a_top_level_key_must_occur_once() -> None:
    (problem,) = problems(GOOD + "model: other\n")
    assert problem.startswith("line 14: `model` ")


def test_a_file_that_is_too_large_is_not_parsed() -> None:
    (problem,) = problems("#" * (MAX_BYTES + 1))
    assert f"{MAX_BYTES >> 10} KiB" in problem


def test_all_errors_are_in_one_message_under_the_files_name() -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(GOOD.replace("min: 0", "mim: 0").replace("6h", "6"), "models/flights.yaml")
    head, *lines = str(caught.value).splitlines()
    assert head.startswith("models/flights.yaml ")
    assert [re.findall("line [0-9]+|`[a-z._]+`", line) for line in lines] == [
        ["line 2", "`data.label_delay`"], ["line 5", "`features.distance.mim`", "`min`"],
    ]  # fmt: skip


def test_contradictions_between_sections_are_listed_beside_errors_within_them() -> None:
    """An error in one section hides no error in another, so the message lists all of them."""
    text = (
        GOOD.replace("model: flight-delay\n", "")
        .replace("dataset: flights, ", "")
        .replace("label: late, label_delay: 6h", "label: distance, label_delay: 6")
        .replace("{type: category}", "{type: categry}")
        .replace("min: 0", "min: low, values: [a]")
        .replace("n_estimators: 100", "n_estimator: 100")
        .replace("slices: [carrier]", "slices: [carier, 1, orgin]")
        .replace("drift,", "drfit,")
        .replace("strategy: replace", "strategy: gradual, steps: [25, 5]")
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
    ("steps", "key"),
    [("[25, 5, 100]", "rollout.steps"), ("[5.5, 100]", "rollout.steps.0"), ("[]", "rollout.steps")],
)
def test_invalid_steps_are_reported_beside_an_unknown_strategy(steps: str, key: str) -> None:
    found = problems(GOOD.replace("strategy: replace", f"strategy: gradual, steps: {steps}"))
    assert len([each for each in found if each.startswith(f"line 12: `{key}`: ")]) == 1
    assert [each for each in found if each.startswith("line 12: `rollout.strategy`: 'gradual' ")]


def test_what_the_registry_gives_back_may_be_applied_again() -> None:
    """The registry's spec has every default written out, including those of the steps."""
    spec = parse_spec(GOOD)
    assert parse_spec(json.dumps(spec.as_dict())) == spec


def test_a_misspelt_part_is_no_reason_to_doubt_the_others() -> None:
    text = GOOD.replace("features:", "featurs:")
    missing, misspelt = problems(text)
    assert missing.startswith("line 1: `features` ")
    assert re.findall("line 3|`[a-z]+`", misspelt) == ["line 3", "`featurs`", "`features`"]


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
def test_any_text_is_a_spec_or_a_spec_error(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(text)
    assert caught.value.code == "invalid_spec"
    assert caught.value.problems


@given(st.integers(0, len(GOOD)), st.integers(0, 30), st.sampled_from(["", "\n", ": ", "{", "x", "1", "~", "- "]))
def test_a_spec_with_a_piece_replaced_gives_a_spec_or_a_spec_error(start: int, length: int, piece: str) -> None:
    try:
        parse_spec(GOOD[:start] + piece + GOOD[start + length :])
    except SpecError as error:
        assert error.problems  # noqa: PT017 - both results are right, and only a crash is wrong


@pytest.mark.parametrize(
    "way",
    [
        "prepare: {impute: {temp: mean}}",
        "prepare: {drop: [temp]}",
        (
            "trainer: {kind: sklearn, steps: [{use: sklearn.impute.SimpleImputer}, {use: "
            "sklearn.linear_model.LogisticRegression}]}"
        ),
        "trainer: {kind: sklearn, steps: [{use: sklearn.ensemble.RandomForestClassifier}]}",
    ],
)
def test_an_optional_feature_needs_an_imputer_or_steps_that_take_missing_values(way: str) -> None:
    kept = "\n".join(line for line in GOOD.splitlines() if not line.startswith("trainer:"))
    steps = "trainer: {kind: sklearn, steps: [{use: sklearn.linear_model.LogisticRegression}]}"
    spec = parse_spec("\n".join((kept, way, *(() if way.startswith("trainer:") else (steps,)))))
    assert spec.trainer.kind == "sklearn"


@pytest.mark.parametrize(
    ("written", "key", "bound"),
    [
        ("trainer: {holdout: 0.95}", "trainer.holdout", "0.9"),
        ("trainer: {holdout: 0}", "trainer.holdout", "0"),
        ("trainer: {min_rows: 0}", "trainer.min_rows", "1"),
        ("prepare: {hash_buckets: 5000}", "prepare.hash_buckets", "4096"),
    ],
)
def test_the_bound_of_a_number_is_named(written: str, key: str, bound: str) -> None:
    text = (
        "model: late\ndata: {dataset: trips, entity: id, event_time: at, label: late}\n"
        f"features: {{distance: {{type: float}}}}\n{written}\n"
    )
    (problem,) = problems(text)
    assert problem.startswith(f"line 4: `{key}`: ")
    assert problem.split()[-1] == bound
