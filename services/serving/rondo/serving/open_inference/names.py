"""The names of tensors: features, and the tensors with the id, entity and event time of rows."""

from __future__ import annotations

ID, ENTITY, EVENT_TIME, VERSION = "rondo.id", "rondo.entity", "rondo.event_time", "rondo.model_version"


def described_name(name: str) -> str:
    """Return a tensor's name in the form of messages. The name of a feature has no dot."""
    return f"`{name[:60]}`" if "." in name else f"the feature `{name[:60]}`"
