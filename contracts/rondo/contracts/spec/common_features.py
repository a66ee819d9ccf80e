"""The features of requests that fit several versions of a model at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.spec.data import Feature
from rondo.contracts.vocabularies import FeatureType

if TYPE_CHECKING:
    from collections.abc import Mapping


class NoCommonRequestsError(ValueError):
    """No request fits two versions, because they share no allowed value of a feature."""

    code = "no_common_requests"

    def __init__(self, feature: str, versions: tuple[int, int]) -> None:
        self.feature, self.versions = feature, versions
        first, second = versions
        super().__init__(
            f"versions {first} and {second} take no common value of {feature!r}, so no request fits both: give the "
            "feature another name where it means something else"
        )


def common_features(versions: Mapping[int, Mapping[str, Feature]]) -> dict[str, Feature]:
    """Return the features of requests that fit all versions. `versions` has the features of each version by its number.

    The features of the first version come first. A feature that only some versions have is defined as in these
    versions. It is optional if none of them requires it. Features that a version joins are not in its requests.

    Raises:
        NoCommonRequestsError: no request fits all versions.

    """
    found: dict[str, Feature] = {}
    of_version: dict[str, int] = {}
    for number, features in versions.items():
        for name, feature in features.items():
            if not feature.is_sent:
                continue
            both = _common(found[name], feature) if name in found else feature
            if both is None:
                raise NoCommonRequestsError(name, (of_version[name], number))
            found[name] = both
            of_version.setdefault(name, number)
    return found


def _common(first: Feature, second: Feature) -> Feature | None:
    """Return a feature with the values that both features allow. None if there are none."""
    kind = _type(first, second)
    lows, highs = ([each for each in pair if each is not None] for pair in
                   ((first.min, second.min), (first.max, second.max)))  # fmt: skip
    low, high = max(lows, default=None), min(highs, default=None)
    values = first.values if second.values is None else second.values
    if first.values is not None and second.values is not None:
        values = tuple(value for value in first.values if value in second.values)
    if kind is None or values == () or (low is not None and high is not None and low > high):
        return None
    optional = first.optional and second.optional
    return Feature(type=kind, optional=optional, min=low, max=high, values=values)


def _type(first: Feature, second: Feature) -> str | None:
    if first.type == second.type:
        return first.type
    numbers = {FeatureType.INT.value, FeatureType.FLOAT.value}
    return FeatureType.INT.value if {first.type, second.type} == numbers else None
