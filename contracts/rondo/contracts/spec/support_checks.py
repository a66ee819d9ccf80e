"""Checks of a new spec for keys that this release does not support, and for values that can't work.

A stored spec was accepted before and is not checked again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from keyword import iskeyword
from typing import TYPE_CHECKING, TypeGuard

from rondo.contracts.spec import cron
from rondo.contracts.spec.cross_checks import Path, Plain, Problem, list_at, mapping_at
from rondo.contracts.spec.data import LARGEST_EXACT_INT, LARGEST_FLOAT32
from rondo.contracts.spec.duration import format_duration, parse_duration
from rondo.contracts.spec.parameters.checks import LIBRARIES, parameter_problems
from rondo.contracts.spec.parameters.search_checks import search_problems
from rondo.contracts.spec.parameters.step_checks import step_problems
from rondo.contracts.spec.policy import MAX_DEDUPLICATION
from rondo.contracts.spec.preparation.checks import preparation_problems
from rondo.contracts.spec.task_checks import task_problems
from rondo.contracts.tasks.registry import DEFAULT, TASKS
from rondo.contracts.vocabularies import (
    ColumnStatisticName,
    EvidenceScope,
    FeatureType,
    Inconclusive,
    JudgedBy,
    LogDelivery,
    OutcomeCause,
    RetrainPolicy,
    RolloutStrategy,
    TrainerKind,
    TriggerKind,
    UnknownColumns,
    UnknownFields,
    known,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from enum import StrEnum

# The triggers of `retrain.on` in addition to schedules. The first data and people always start a training.
_TRIGGERS = (TriggerKind.DATA, TriggerKind.DRIFT, TriggerKind.PERFORMANCE, TriggerKind.QUALITY)
_CRON_EXAMPLE = '"cron: 0 3 * * 1" (minute hour day month weekday, and a time zone if it is not UTC)'
_JOIN = ("from", "column", "on", "max_age")
# The allowed values of these keys with `replace`, which has no steps: as a file has them or as they are parsed.
_AT_ONCE: dict[str, tuple[object, ...]] = {
    "steps": ([100], (100,)),
    "step_length": ("10m", timedelta(minutes=10), "0s", timedelta(0)),
}
_ENSEMBLE = (
    "'ensemble' is no kind: name the kind that trains, and write `ensemble: 3` beside it, which weighs the new model"
    " with the last two champions"
)
# The rate is divided into parts, and the logarithm of each part must be finite.
_LEAST_RATE = 1e-6
_ROLLOUT_WORDS: dict[str, type[StrEnum]] = {
    "strategy": RolloutStrategy,
    "evidence": EvidenceScope,
    "judged_by": JudgedBy,
    "inconclusive": Inconclusive,
    "outcome": OutcomeCause,
}
# Strategies in which the new version answers requests while it is compared.
_ANSWERING = (RolloutStrategy.CANARY, RolloutStrategy.AB)
# Ingestion adds this column to each row.
_TAKEN = {"batch_id": "published rows have the id of their batch there"}
_LARGEST_SEED = 2**31 - 1


def unsupported(spec: Plain) -> Iterator[Problem]:
    """Yield the reasons not to apply a spec. `spec` has plain values, see `cross_checks`."""
    yield from not_supported(spec)
    yield from task_problems(spec)
    yield from _keys_are_no_features(spec)
    yield from _taken_names(spec)
    for name, feature in mapping_at(spec, "features").items():
        if isinstance(feature, Mapping):
            yield from unknown_type(("features", name), feature)
            yield from limits_leave_no_value(("features", name), feature)
    yield from preparation_problems(spec)
    yield from _seed_out_of_range(mapping_at(spec, "trainer"))
    yield from parameter_problems(spec)
    yield from _function_is_a_name(mapping_at(spec, "trainer"))
    yield from step_problems(spec)
    yield from search_problems(spec)
    yield from _unknown_triggers(mapping_at(spec, "retrain"))
    yield from _unknown_detectors(mapping_at(spec, "monitor"))
    yield from _alarm_detectors_are_classes(mapping_at(spec, "monitor"))


def not_supported(spec: Plain) -> Iterator[Problem]:
    """Yield the keys that this release does not support."""
    task = spec.get("task", DEFAULT)
    if isinstance(task, str) and task not in TASKS:
        yield Problem(("task",), f"{task!r} is unknown: use one of {', '.join(TASKS)}")
    yield from _rollout(mapping_at(spec, "rollout"))
    kind = mapping_at(spec, "trainer").get("kind")
    kinds = (*LIBRARIES, TrainerKind.SKLEARN, TrainerKind.FUNCTION)
    if kind == "ensemble":
        yield Problem(("trainer", "kind"), _ENSEMBLE)
    elif isinstance(kind, str) and kind not in kinds:
        words = ", ".join(f"`{each}`" for each in kinds)
        yield Problem(("trainer", "kind"), f"{_state(kind, TrainerKind)}: use one of {words}")
    policy = mapping_at(spec, "retrain").get("policy")
    if isinstance(policy, str) and policy not in list(RetrainPolicy):
        message = f"{policy!r} is unknown: use one of {', '.join(known(RetrainPolicy))}"
        yield Problem(("retrain", "policy"), message)
    yield from unknown_columns_problem(("data", "unknown_columns"), mapping_at(spec, "data").get("unknown_columns"))
    delivery = mapping_at(spec, "serving").get("log")
    if isinstance(delivery, str) and delivery not in list(LogDelivery):
        yield Problem(("serving", "log"), f"{delivery!r} is unknown: use one of {', '.join(known(LogDelivery))}")
    unknown_fields = mapping_at(spec, "serving").get("unknown_fields")
    if isinstance(unknown_fields, str) and unknown_fields not in list(UnknownFields):
        message = f"{unknown_fields!r} is unknown: use one of {', '.join(known(UnknownFields))}"
        yield Problem(("serving", "unknown_fields"), message)
    yield from _deduplication_past_retention(mapping_at(spec, "serving"))
    yield from joined_features(mapping_at(spec, "features"))


def joined_features(features: Plain) -> Iterator[Problem]:
    """Yield the features of a point-in-time join. Serving can't look their values up yet."""
    for name, feature in features.items():
        join_keys = [key for key in _JOIN if isinstance(feature, Mapping) and feature.get(key)]
        if join_keys:
            message = (
                "asks for a point-in-time join, which is not supported yet: join the column into the batches and send "
                "it in the requests, and leave out `from`, `column`, `on` and `max_age`"
            )
            yield Problem(("features", name, join_keys[0]), message, " ")


def unknown_columns_problem(path: Path, word: object) -> Iterator[Problem]:
    """Yield a problem if a word is not in the vocabulary `UnknownColumns`."""
    if isinstance(word, str) and word not in list(UnknownColumns):
        yield Problem(path, f"{word!r} is unknown: use one of {', '.join(known(UnknownColumns))}")


def _deduplication_past_retention(serving: Plain) -> Iterator[Problem]:
    try:
        window = parse_duration(serving.get("deduplicate"))
    except ValueError:  # the value is absent, or another check reports it
        return
    if window > MAX_DEDUPLICATION:
        message = f"no answer is kept for longer than {format_duration(MAX_DEDUPLICATION)}: use at most that"
        yield Problem(("serving", "deduplicate"), message)


def _state(word: str, vocabulary: type[StrEnum]) -> str:
    return f"{word} is not supported yet" if word in list(vocabulary) else f"{word!r} is unknown"


def _keys_are_no_features(spec: Plain) -> Iterator[Problem]:
    data, features = mapping_at(spec, "data"), mapping_at(spec, "features")
    for key in ("entity", "event_time"):
        column = data.get(key)
        if isinstance(column, str) and column in features:
            message = (
                f"{column!r} is the {key.replace('_', ' ')} and also a feature: rows carry it beside the "
                "features; give the feature a column of its own, or take it out"
            )
            yield Problem(("features", column), message)


def _rollout(rollout: Plain) -> Iterator[Problem]:
    if rollout.get("strategy") in (None, RolloutStrategy.REPLACE):
        yield from _steps_of_one(rollout)
    elif _is_nothing(rollout.get("step_length")):
        message = "a step that lasts nothing ends before any evidence: give a length, such as 1h"
        yield Problem(("rollout", "step_length"), message)
    rate = rollout.get("false_rollback_rate")
    if isinstance(rate, float) and 0 < rate < _LEAST_RATE:
        message = f"less than {_LEAST_RATE:f} needs more evidence than there is: such as 0.01"
        yield Problem(("rollout", "false_rollback_rate"), message)
    strategy = rollout.get("strategy")
    if rollout.get("outcome") == OutcomeCause.DEPENDS_ON_ANSWER and strategy not in _ANSWERING:
        message = "a version that answers nothing causes no outcomes: use the strategy canary or ab"
        yield Problem(("rollout", "outcome"), message)
    if rollout.get("until") is not None and strategy != RolloutStrategy.AB:
        message = "only a test of two versions ends at a date: use the strategy ab, or `max_wait`"
        yield Problem(("rollout", "until"), message)
    for key, vocabulary in _ROLLOUT_WORDS.items():
        word = rollout.get(key)
        if isinstance(word, str) and word not in list(vocabulary):
            message = f"{word!r} is unknown: use one of {', '.join(known(vocabulary))}"
            yield Problem(("rollout", key), message)


def _is_nothing(duration: object) -> bool:
    """Return whether the text is a duration of 0, in any unit. False for texts that are not durations."""
    try:
        return not parse_duration(duration)
    except ValueError:
        return False


def _steps_of_one(rollout: Plain) -> Iterator[Problem]:
    for key, harmless in _AT_ONCE.items():
        if key in rollout and rollout[key] not in harmless:
            yield Problem(("rollout", key), "`replace` takes over at once and has no steps: leave it out")


def _taken_names(spec: Plain) -> Iterator[Problem]:
    columns: list[tuple[object, Path]] = [(name, ("features", name)) for name in mapping_at(spec, "features")]
    columns += [(mapping_at(spec, "data").get(key), ("data", key)) for key in ("entity", "event_time", "label")]
    yield from taken_names(columns)


def taken_names(columns: Iterable[tuple[object, Path]]) -> Iterator[Problem]:
    """Yield columns with a name that their table can't have: it is taken by the table or by an earlier column."""
    seen: dict[str, str] = {}
    for name, path in columns:
        if not isinstance(name, str):
            continue
        if reason := _TAKEN.get(name.lower()):
            yield Problem(path, f"{name!r} can't be the name of a column, because {reason}: rename it")
        other = seen.setdefault(name.lower(), name)
        if name != other:
            message = f"{name!r} differs from {other!r} by capitals alone, which tables can't tell apart: rename one"
            yield Problem(path, message)


def unknown_type(path: Path, column: Plain) -> Iterator[Problem]:
    """Yield a problem if the type of a column is not in the vocabulary `FeatureType`."""
    word = column.get("type")
    if isinstance(word, str) and word not in list(FeatureType):
        words = ", ".join(map(repr, known(FeatureType)))
        yield Problem((*path, "type"), f"{word!r} is none of {words}, the types that this release of rondo knows")


def limits_leave_no_value(path: Path, column: Plain) -> Iterator[Problem]:
    """Yield limits that no value meets. They would reject every row and every request."""
    limits = {key: float(value) for key in ("min", "max") if _is_number(value := column.get(key))}
    for key, limit in limits.items():
        if abs(limit) > LARGEST_FLOAT32:
            yield Problem((*path, key), f"{limit:g} is more than float32 holds, and a model reads float32")
        elif column.get("type") == "int" and abs(limit) > LARGEST_EXACT_INT:
            message = (
                f"a model reads float32, which holds whole numbers up to {LARGEST_EXACT_INT:,} exactly: use `type: "
                "category` for an identifier, or `type: float` for an amount that may be rounded to seven digits"
            )
            yield Problem((*path, key), message)
    low, high = limits.get("min", -math.inf), limits.get("max", math.inf)
    if column.get("type") == "int" and low <= high and math.isfinite(low) and math.ceil(low) > high:
        yield Problem((*path, "min"), f"no whole number is from {low:g} to {high:g}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _seed_out_of_range(trainer: Plain) -> Iterator[Problem]:
    seed = trainer.get("seed")
    if isinstance(seed, int) and not 0 <= seed <= _LARGEST_SEED:
        yield Problem(("trainer", "seed"), f"is {seed}, and must be from 0 to {_LARGEST_SEED}", " ")


def _function_is_a_name(trainer: Plain) -> Iterator[Problem]:
    function = trainer.get("function")
    if isinstance(function, str) and ":" in function:
        yield from _is_no_name(("trainer", "function"), function, "package.module:name")


def _is_no_name(path: tuple[str | int, ...], text: str, form: str) -> Iterator[Problem]:
    module, _, name = text.partition(":")
    for part in (*module.split("."), name):
        if not part.isidentifier() or iskeyword(part):
            yield Problem(path, f"{part!r} is not a name in Python: write `{form}`")


def _unknown_detectors(monitor: Plain) -> Iterator[Problem]:
    for index, name in enumerate(list_at(monitor, "detectors")):
        if isinstance(name, str) and ":" in name:
            yield from _is_no_name(("monitor", "detectors", index), name, "package.module:Class")
        elif isinstance(name, str) and name not in list(ColumnStatisticName):
            close = get_close_matches(name.lower(), known(ColumnStatisticName), n=1)
            others = (
                f"use one of {', '.join(known(ColumnStatisticName))}, or `package.module:Class` for one of your own"
            )
            hint = f"did you mean {close[0]!r}?" if close else others
            yield Problem(("monitor", "detectors", index), f"{name!r} is not a detector: {hint}")


def _alarm_detectors_are_classes(monitor: Plain) -> Iterator[Problem]:
    for index, name in enumerate(list_at(monitor, "alarm_detectors")):
        path = ("monitor", "alarm_detectors", index)
        if isinstance(name, str) and ":" in name:
            yield from _is_no_name(path, name, "package.module:Class")
        elif isinstance(name, str):
            hint = "the evidence watches all columns without it, and `monitor.detectors` reports it"
            why = f": {hint}. Remove it" if name in list(ColumnStatisticName) else ": write `package.module:Class`"
            yield Problem(path, f"{name!r} is not a class of your own{why}")


def _unknown_triggers(retrain: Plain) -> Iterator[Problem]:
    for index, trigger in enumerate(list_at(retrain, "on")):
        if not isinstance(trigger, str) or trigger in _TRIGGERS:
            continue
        path = ("retrain", "on", index)
        if not trigger.startswith(cron.PREFIX):
            message = f"{trigger!r} is not a trigger: use one of {', '.join(_TRIGGERS)} or, in quotes, {_CRON_EXAMPLE}"
            close = get_close_matches(trigger.lower(), _TRIGGERS, n=1)
            yield Problem(path, f"{message}; did you mean {str(close[0])!r}?" if close else message)
        elif problem := cron.problem(trigger.removeprefix(cron.PREFIX)):
            yield Problem(path, f"{trigger!r}: {problem}")
