"""Requests that fit several versions with different features. Each version scores with its own features."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rondo.contracts.spec.common_features import common_features
from rondo.serving.requests.schema import RequestSchema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.serving.models.loaded_version import LoadedVersion


def with_common_requests(
    versions: Sequence[LoadedVersion],
) -> tuple[tuple[LoadedVersion, ...], RequestSchema | None]:
    """Return versions that take their own features of common requests, and the schema of these requests.

    The schema is None if all versions have the same features.

    Raises:
        NoCommonRequestsError: no request fits all versions.

    """
    if len({tuple(version.schema.features.items()) for version in versions}) == 1:
        return tuple(_taking_part(version, takes_part=False) for version in versions), None
    features = common_features({version.model_version: version.schema.features for version in versions})
    needed_by = {
        name: version.model_version
        for version in versions
        for name, feature in version.schema.features.items()
        if not feature.optional and not all(name in each.schema.features for each in versions)
    }
    first = versions[0].schema
    common = RequestSchema(first.model, features, first.unknown, needed_by=needed_by)
    return tuple(_taking_part(version, takes_part=True) for version in versions), common


def _taking_part(version: LoadedVersion, *, takes_part: bool) -> LoadedVersion:
    return version if version.takes_part == takes_part else replace(version, takes_part=takes_part)
