"""What should serve, said by the registry, and what does, said by the serving replicas."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from rondo.contracts.events.base import ModelEvent, Value
from rondo.contracts.spec.model import Feature
from rondo.contracts.text import Column, Digest, Message, Text
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import ReplicaState, Role, open_to


class Route(Value):
    """One version that should serve: its artifact, its share of the traffic and its signature.

    `features` are the inputs in the order and with the types that the version was trained on. With
    `ignore_unknown_fields` a request may have others.
    """

    model_version: int
    digest: Digest
    share: Annotated[float, Field(ge=0, le=1)]
    role: Annotated[Text, open_to(Role)]
    features: dict[Column, Feature]
    ignore_unknown_fields: bool = False


class DeploymentChanged(ModelEvent):
    """The versions that should serve a model changed. The latest `revision` per model is the truth (compacted)."""

    topic: ClassVar[str] = "deployments.changed"

    revision: int
    routes: tuple[Route, ...]


class ReplicaChanged(ModelEvent):
    """A serving replica loaded, serves, drains or refused a version; `detail` says why it refused."""

    topic: ClassVar[str] = "replicas.changed"

    replica: Text
    model_version: int
    digest: Digest
    revision: int
    state: Annotated[Text, open_to(ReplicaState)]
    detail: Message = ""
    at: Utc
