"""What is asked of who writes a spec, and not of one that is read back: that one was accepted, and goes on.

These are the rules that came later, and what this release does not execute yet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rondo.contracts import cron, lightgbm_params
from rondo.contracts.spec_policy import CRON
from rondo.contracts.spec_rules import Fault, Plain, items, part

if TYPE_CHECKING:
    from collections.abc import Iterator

_STRATEGIES = ("canary", "blue_green", "shadow", "ab")
_KINDS = ("xgboost", "sklearn", "function")
_JOIN = ("from", "on", "max_age")


def unfit(spec: Plain) -> Iterator[Fault]:
    """Yield what stands against bringing this spec into force; see `spec_rules` for the values."""
    yield from not_executed(spec)
    yield from _keys_are_no_features(spec)
    yield from _unknown_parameters(part(spec, "trainer"))
    yield from _never_due(part(spec, "retrain"))


def not_executed(spec: Plain) -> Iterator[Fault]:
    """Yield what the system can't do yet: it is refused, so that nobody takes it for done."""
    strategy, kind = part(spec, "rollout").get("strategy"), part(spec, "trainer").get("kind")
    if strategy in _STRATEGIES:
        message = f"{strategy} is not executed yet: use `replace`, which takes over after the gates and a warm-up"
        yield Fault(("rollout", "strategy"), message)
    if kind in _KINDS:
        yield Fault(("trainer", "kind"), f"{kind} is not executed yet: use `lightgbm`")
    for name, feature in part(spec, "features").items():
        asked = [key for key in _JOIN if isinstance(feature, Mapping) and feature.get(key)]
        if asked:
            message = (
                "asks for a point-in-time join, which is not executed yet: join the column into the batches and send "
                "it in the requests, and leave out `from`, `on` and `max_age`"
            )
            yield Fault(("features", name, asked[0]), message, " ")


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


def _unknown_parameters(trainer: Plain) -> Iterator[Fault]:
    if trainer.get("kind", "lightgbm") != "lightgbm":
        return
    scalars = {name: value for name, value in part(trainer, "params").items() if _is_scalar(value)}
    for name, problem in lightgbm_params.faults(scalars):
        yield Fault(("trainer", "params", name), problem, " ")


def _never_due(retrain: Plain) -> Iterator[Fault]:
    for index, trigger in enumerate(items(retrain, "on")):
        if isinstance(trigger, str) and CRON.fullmatch(trigger):
            for problem in cron.faults(trigger.removeprefix("cron: ")):
                yield Fault(("retrain", "on", index), f"{trigger!r}: {problem}")


def _is_scalar(value: object) -> bool:
    return isinstance(value, int | str) or (isinstance(value, float) and math.isfinite(value))
