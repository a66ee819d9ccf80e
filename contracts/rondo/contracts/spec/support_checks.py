"""What is asked of who writes a spec, and not of one that is read back: that one was accepted, and goes on.

These are the rules that came later, and what this release does not execute yet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, TypeGuard

from rondo.contracts.spec import cron, lightgbm_params
from rondo.contracts.spec.cross_checks import Fault, Plain, items, part
from rondo.contracts.spec.data import LARGEST_FLOAT32
from rondo.contracts.spec.policy import CRON
from rondo.contracts.vocabularies import RolloutStrategy, TrainerKind, TriggerKind, UnknownColumns, known

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import StrEnum

# The triggers of `retrain.on` beside schedules; the first data and people start a training anyway.
_TRIGGERS = (TriggerKind.DATA, TriggerKind.DRIFT, TriggerKind.PERFORMANCE, TriggerKind.QUALITY)
_CRON_EXAMPLE = '"cron: 0 3 * * 1" (minute hour day month weekday)'
_JOIN = ("from", "on", "max_age")
# What a file may say of the steps of a rollout that has none: the defaults, as they are written and as they are read.
_AT_ONCE: dict[str, tuple[object, ...]] = {
    "steps": ([100], (100,)),
    "step_length": ("10m", timedelta(minutes=10), "0s", timedelta(0)),
}
# Ingestion writes each row's batch into a column of this name, and the compiled model names its output so.
_TAKEN = {"batch_id": "each published row has its batch's id there", "score": "the model's output is called so"}
_LARGEST_SEED = 2**31 - 1


def unfit(spec: Plain) -> Iterator[Fault]:
    """Yield what stands against bringing this spec into force; see `spec_rules` for the values."""
    yield from not_executed(spec)
    yield from _keys_are_no_features(spec)
    yield from _taken_names(spec)
    for name, feature in part(spec, "features").items():
        if isinstance(feature, Mapping):
            yield from _limits_leave_no_value(name, feature)
    yield from _seed_out_of_range(part(spec, "trainer"))
    yield from _unknown_parameters(part(spec, "trainer"))
    yield from _unknown_triggers(part(spec, "retrain"))
    yield from _never_due(part(spec, "retrain"))


def not_executed(spec: Plain) -> Iterator[Fault]:
    """Yield what the system can't do yet: it is refused, so that nobody takes it for done."""
    strategy, kind = part(spec, "rollout").get("strategy"), part(spec, "trainer").get("kind")
    if strategy in (None, RolloutStrategy.REPLACE):
        yield from _steps_of_one(part(spec, "rollout"))
    elif isinstance(strategy, str):
        message = f"{_state(strategy, RolloutStrategy)}: use `replace`, which takes over after the gates and a warm-up"
        yield Fault(("rollout", "strategy"), message)
    if isinstance(kind, str) and kind != TrainerKind.LIGHTGBM:
        yield Fault(("trainer", "kind"), f"{_state(kind, TrainerKind)}: use `lightgbm`")
    unknown_columns = part(spec, "data").get("unknown_columns")
    if isinstance(unknown_columns, str) and unknown_columns not in list(UnknownColumns):
        message = f"{unknown_columns!r} is unknown: use one of {', '.join(known(UnknownColumns))}"
        yield Fault(("data", "unknown_columns"), message)
    for name, feature in part(spec, "features").items():
        asked = [key for key in _JOIN if isinstance(feature, Mapping) and feature.get(key)]
        if asked:
            message = (
                "asks for a point-in-time join, which is not executed yet: join the column into the batches and send "
                "it in the requests, and leave out `from`, `on` and `max_age`"
            )
            yield Fault(("features", name, asked[0]), message, " ")


def _state(word: str, vocabulary: type[StrEnum]) -> str:
    return f"{word} is not executed yet" if word in list(vocabulary) else f"{word!r} is unknown"


def _keys_are_no_features(spec: Plain) -> Iterator[Fault]:
    data, features = part(spec, "data"), part(spec, "features")
    for key in ("entity", "event_time"):
        column = data.get(key)
        if isinstance(column, str) and column in features:
            message = (
                f"{column!r} is the {key.replace('_', ' ')} and also a feature: rows carry it beside the "
                "features; give the feature a column of its own, or take it out"
            )
            yield Fault(("features", column), message)


def _steps_of_one(rollout: Plain) -> Iterator[Fault]:
    for key, harmless in _AT_ONCE.items():
        if key in rollout and rollout[key] not in harmless:
            yield Fault(("rollout", key), "`replace` takes over at once and has no steps: leave it out")


def _taken_names(spec: Plain) -> Iterator[Fault]:
    columns: list[tuple[object, tuple[str, str]]] = [(name, ("features", name)) for name in part(spec, "features")]
    columns += [(part(spec, "data").get(key), ("data", key)) for key in ("entity", "event_time", "label")]
    for name, path in columns:
        if isinstance(name, str) and name in _TAKEN:
            yield Fault(path, f"{name!r} can't be the name of a column, for {_TAKEN[name]}: rename it")


def _limits_leave_no_value(name: str, feature: Plain) -> Iterator[Fault]:
    """Limits that nothing meets would refuse every row and every request."""
    limits = {key: float(value) for key in ("min", "max") if _is_number(value := feature.get(key))}
    for key, limit in limits.items():
        if abs(limit) > LARGEST_FLOAT32:
            yield Fault(("features", name, key), f"{limit:g} is more than float32 holds, and a model sees no more")
    low, high = limits.get("min", -math.inf), limits.get("max", math.inf)
    if feature.get("type") == "int" and low <= high and math.isfinite(low) and math.ceil(low) > high:
        yield Fault(("features", name, "min"), f"no whole number is from {low:g} to {high:g}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _seed_out_of_range(trainer: Plain) -> Iterator[Fault]:
    seed = trainer.get("seed")
    if isinstance(seed, int) and not 0 <= seed <= _LARGEST_SEED:
        yield Fault(("trainer", "seed"), f"is {seed}, and must be from 0 to {_LARGEST_SEED}", " ")


def _unknown_parameters(trainer: Plain) -> Iterator[Fault]:
    if trainer.get("kind", "lightgbm") != "lightgbm":
        return
    scalars = {name: value for name, value in part(trainer, "params").items() if _is_scalar(value)}
    for name, problem in lightgbm_params.faults(scalars):
        yield Fault(("trainer", "params", name), problem, " ")


def _unknown_triggers(retrain: Plain) -> Iterator[Fault]:
    for index, trigger in enumerate(items(retrain, "on")):
        if isinstance(trigger, str) and trigger not in _TRIGGERS and not CRON.fullmatch(trigger):
            message = f"{trigger!r} is no trigger: use one of {', '.join(_TRIGGERS)} or, in quotes, {_CRON_EXAMPLE}"
            yield Fault(("retrain", "on", index), message)


def _never_due(retrain: Plain) -> Iterator[Fault]:
    for index, trigger in enumerate(items(retrain, "on")):
        if isinstance(trigger, str) and CRON.fullmatch(trigger):
            for problem in cron.faults(trigger.removeprefix("cron: ")):
                yield Fault(("retrain", "on", index), f"{trigger!r}: {problem}")


def _is_scalar(value: object) -> bool:
    return isinstance(value, int | str) or (isinstance(value, float) and math.isfinite(value))
