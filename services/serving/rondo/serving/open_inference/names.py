"""The names of tensors: a feature, or one of those that say what a row is about."""

from __future__ import annotations

ID, ENTITY, EVENT_TIME, VERSION = "rondo.id", "rondo.entity", "rondo.event_time", "rondo.model_version"


def described_name(name: str) -> str:
    """Return a tensor's name as messages show it. The name of a feature has no dot."""
    return f"`{name[:60]}`" if "." in name else f"the feature `{name[:60]}`"
