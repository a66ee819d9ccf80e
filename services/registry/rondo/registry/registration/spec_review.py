"""Decides whether a well-formed spec may be applied: it has to be supported, and to fit the served model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.spec import support_checks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.contracts.spec.model import Feature, ModelSpec


@dataclass(frozen=True)
class Review:
    """The reasons against a spec (`refusals`), and notes for its author (`warnings`), each a sentence."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def review_spec(
    spec: ModelSpec, before: ModelSpec | None, champion: int | None, serving: Mapping[str, Feature]
) -> Review:
    """Review a spec against the spec in force (`before`) and the champion, whose features are `serving`."""
    if champion is None:
        return Review(refusals=_unsupported(spec))
    refusals = _unsupported(spec)
    if before is not None and before.task != spec.task:
        refusals += (_change("task", before.task, spec.task, champion),)
    elif before is not None and _label(before) != _label(spec):
        refusals += (_change("data.label", _label(before), _label(spec), champion),)
    return Review(refusals, _signature_warnings(spec.features, champion, serving))


def comparable(candidate: Mapping[str, Feature], champion: Mapping[str, Feature]) -> bool:
    """Return whether a champion can be scored on a candidate's rows: it needs its own features, with the same types."""
    return all(name in candidate and candidate[name].type == feature.type for name, feature in champion.items())


def _unsupported(spec: ModelSpec) -> tuple[str, ...]:
    # The parser of a file already checks these, with line numbers. This check is for specs from other sources.
    problems = support_checks.unsupported(spec.model_dump(by_alias=True))
    return tuple(f"`{'.'.join(map(str, each.path))}`{each.separator}{each.message}" for each in problems)


def _label(spec: ModelSpec) -> str:
    """Return the label column with its values. The score of a champion is the probability of the positive value."""
    return f"{spec.data.label} ({spec.labels.expected})" if spec.data.positive else spec.data.label


def _change(key: str, before: str, after: str, champion: int) -> str:
    return (
        f"`{key}` changes from {before} to {after} while version {champion} serves: its predictions would change "
        "their meaning for those who read them; give the new label a model of its own"
    )


def _signature_warnings(
    features: Mapping[str, Feature], champion: int, serving: Mapping[str, Feature]
) -> tuple[str, ...]:
    warnings = []
    if changes := list(_signature_changes(features, serving)):
        warnings.append(
            f"the features change ({', '.join(changes)}): version {champion} keeps answering requests with its own "
            "features; requests must have the new ones from the promotion of the next version on"
        )
    if not comparable(features, serving):
        warnings.append(
            f"version {champion} can't be scored on the new features: the next candidate is not compared with it"
        )
    return tuple(warnings)


def _signature_changes(features: Mapping[str, Feature], serving: Mapping[str, Feature]) -> Iterator[str]:
    """Yield the changes of what requests have. They have no joined features."""
    sent = {name: feature for name, feature in features.items() if feature.is_sent}
    before = {name: feature for name, feature in serving.items() if feature.is_sent}
    for name in sent:
        if name not in before:
            yield f"{name} was joined and is sent" if name in serving else f"{name} is new"
    for name in before:
        if name not in sent:
            yield f"{name} was sent and is joined" if name in features else f"{name} is gone"
    for name, feature in sent.items():
        if name in before and before[name].type != feature.type:
            yield f"{name} was {before[name].type} and is {feature.type}"
