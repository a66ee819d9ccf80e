"""Checks of the parts of a spec against each other. Each problem has its path.

The checks take plain values, so that they also run on a file with other problems. They skip values that are missing or
have another type, because the spec's classes report these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rondo.contracts.spec import cron
from rondo.contracts.vocabularies import RetrainPolicy

Path = tuple[str | int, ...]
Plain = Mapping[str, Any]


class Problem(NamedTuple):
    """A problem at a path of the spec, and its solution. A report puts `separator` between path and message."""

    path: Path
    message: str
    separator: str = ": "


def contradictions(spec: Plain) -> Iterator[Problem]:
    """Yield contradictions between the parts of a spec. Neither a new nor a stored spec may have any."""
    data, features = mapping_at(spec, "data"), mapping_at(spec, "features")
    yield from _columns_play_one_part(data, features)
    yield from _labels_are_two(data)
    for name, feature in features.items():
        if isinstance(feature, Mapping):
            yield from limits_fit_the_type(("features", name), feature)
    yield from _functions_have_a_name(mapping_at(spec, "trainer"))
    yield from _steps_are_of_sklearn(mapping_at(spec, "trainer"))
    yield from _ensembles_are_not_refitted(mapping_at(spec, "trainer"))
    yield from _one_key_says_the_holdout(mapping_at(spec, "trainer"))
    yield from _policy_has_no_triggers(mapping_at(spec, "retrain"))
    yield from _costs_are_two(mapping_at(spec, "retrain"))
    yield from _steps_rise(mapping_at(spec, "rollout"))
    if features:
        yield from _gates_name_features(mapping_at(spec, "gates"), features)


def mapping_at(values: Plain, key: str) -> Plain:
    """Return the mapping under a key, without keys that are not texts. Empty if there is no mapping."""
    found = values.get(key)
    return {name: value for name, value in found.items() if isinstance(name, str)} if isinstance(found, Mapping) else {}


def _columns_play_one_part(data: Plain, features: Plain) -> Iterator[Problem]:
    label, entity, event_time = (_text(data.get(key)) for key in ("label", "entity", "event_time"))
    if label is not None and label in features:
        message = (
            f"the label {label!r} is also a feature: the model would get the answer as an input; "
            f"take {label!r} out of `features`"
        )
        yield Problem(("features", label), message)
    if label is not None and label in {entity, event_time}:
        message = f"the label {label!r} is also the entity or the event time: each needs a column of its own"
        yield Problem(("data", "label"), message)
    if entity is not None and entity == event_time:
        message = f"{entity!r} is both the entity and the event time: each needs a column of its own"
        yield Problem(("data", "event_time"), message)


def _labels_are_two(data: Plain) -> Iterator[Problem]:
    positive, negative = _text(data.get("positive")), _text(data.get("negative"))
    for key, other in (("positive", "negative"), ("negative", "positive")):
        if _text(data.get(key)) is not None and data.get(other) is None:
            yield Problem(
                ("data", key), f"`{key}` needs `{other}` beside it: a misspelt label would count as one of them"
            )
    for key in ("positive", "negative"):
        text = _text(data.get(key))
        if text is not None and (not text or text != text.strip()):
            yield Problem(("data", key), f"the label {text!r} is empty or has blanks around it: write it without them")
    if positive is not None and positive == negative:
        yield Problem(("data", "negative"), f"{negative!r} is also `positive`: the two labels must differ")


def limits_fit_the_type(path: Path, column: Plain) -> Iterator[Problem]:
    """Yield limits of a feature, or of a column of a dataset, that its type can't have or that allow no value."""
    kind, low, high = column.get("type"), column.get("min"), column.get("max")
    if kind == "category":
        for key in ("min", "max"):
            if column.get(key) is not None:
                yield Problem((*path, key), f"a category has no {key}: list its `values` instead")
    elif kind in ("float", "int", "bool") and column.get("values") is not None:
        message = f"`values` is for a category, and this is a {kind}: use min and max"
        yield Problem((*path, "values"), message)
    if (least := _number(low)) is not None and (most := _number(high)) is not None and least > most:
        yield Problem((*path, "min"), f"min {least:g} is above max {most:g}")


def _functions_have_a_name(trainer: Plain) -> Iterator[Problem]:
    kind, function = _text(trainer.get("kind", "lightgbm")), trainer.get("function")
    if kind == "function" and function is None:
        yield Problem(("trainer", "kind"), "kind `function` needs `function: package.module:name`")
    if kind not in (None, "function") and function is not None:
        message = f"`function` is for kind `function`, and this is {kind}: take one of the two out"
        yield Problem(("trainer", "function"), message)


def _steps_are_of_sklearn(trainer: Plain) -> Iterator[Problem]:
    kind, steps = _text(trainer.get("kind", "lightgbm")), list_at(trainer, "steps")
    if kind == "sklearn" and not steps:
        message = "kind `sklearn` needs `steps: [{use: sklearn.linear_model.LogisticRegression}]`"
        yield Problem(("trainer", "kind"), message)
    if kind not in (None, "sklearn") and steps:
        message = f"`steps` are for kind `sklearn`, and this is {kind}: take one of the two out"
        yield Problem(("trainer", "steps"), message)


def _ensembles_are_not_refitted(trainer: Plain) -> Iterator[Problem]:
    size = _number(trainer.get("ensemble"))
    if trainer.get("refit") is True and size is not None and size > 1:
        yield Problem(("trainer", "refit"), "an ensemble is not refitted: leave out `refit`, or `ensemble`")


def _one_key_says_the_holdout(trainer: Plain) -> Iterator[Problem]:
    found = [key for key in ("holdout", "holdout_rows", "holdout_span") if trainer.get(key) is not None]
    for key in found[1:]:
        message = f"`{found[0]}` also says how many rows are held out: leave out one of the two"
        yield Problem(("trainer", key), message)


def _policy_has_no_triggers(retrain: Plain) -> Iterator[Problem]:
    found = [each for each in list_at(retrain, "on") if isinstance(each, str) and not each.startswith(cron.PREFIX)]
    if retrain.get("policy") == RetrainPolicy.AUTO and found:
        message = (
            f"`policy: auto` decides by itself when to train, and `on` lists {', '.join(found)}: leave out `policy`, or"
            " leave schedules alone in `on`"
        )
        yield Problem(("retrain", "on"), message)


def _costs_are_two(retrain: Plain) -> Iterator[Problem]:
    costs = ("training_cost", "error_cost")
    for key, other in (costs, costs[::-1]):
        if retrain.get(key) is None:
            continue
        if retrain.get(other) is None:
            yield Problem(("retrain", key), f"`{key}` needs `{other}` beside it: only both say whether a training pays")
        elif retrain.get("policy", RetrainPolicy.AUTO) != RetrainPolicy.AUTO or _lists_triggers(retrain):
            yield Problem(("retrain", key), f"`{key}` is for `policy: auto`: leave it out, or `on`")


def _lists_triggers(retrain: Plain) -> bool:
    return "policy" not in retrain and "on" in retrain


def _steps_rise(rollout: Plain) -> Iterator[Problem]:
    steps = [_number(step) for step in list_at(rollout, "steps")]
    known = [step for step in steps if step is not None]
    if len(known) == len(steps) and known != sorted(set(known)):
        message = f"the steps {', '.join(f'{step:g}' for step in known)} must rise, such as 5, 25, 100"
        yield Problem(("rollout", "steps"), message)


def _gates_name_features(gates: Plain, features: Plain) -> Iterator[Problem]:
    named: list[tuple[object, Path]]
    named = [(column, ("gates", "slices", index)) for index, column in enumerate(list_at(gates, "slices"))]
    named.append((mapping_at(gates, "fairness").get("by"), ("gates", "fairness", "by")))
    for column, path in named:
        if isinstance(column, str) and column not in features:
            yield Problem(path, f"{column!r} is not a feature of this model; it has {', '.join(features)}")


def list_at(values: Plain, key: str) -> tuple[Any, ...]:
    """Return the items of the list under a key. Empty if there is no list."""
    found = values.get(key)
    return tuple(found) if isinstance(found, list | tuple) else ()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
