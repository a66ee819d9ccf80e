"""The desired deployment, published by the registry, and the state of the replicas, published by serving."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from rondo.contracts.events.base import ModelEvent, Value
from rondo.contracts.spec.duration import PositiveDuration
from rondo.contracts.spec.model import Feature
from rondo.contracts.text import Column, Digest, Message, Text
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import (
    EvidenceScope,
    LogDelivery,
    ReplicaState,
    RolloutState,
    RolloutStrategy,
    RolloutVerdict,
    RouteRole,
    UnknownFields,
    open_to,
)


class Route(Value):
    """A version of a deployment: its artifact, its share of the traffic and its signature.

    `features` are the inputs in the order and with the types that the version was trained on. `unknown_fields` says
    what happens to a request with other fields. If it is None, `ignore_unknown_fields` decides, as in earlier releases:
    `ignore` if true, `refuse` if false. `log` says whether an answer over HTTP waits for its row of the inference log.
    `answer_cache_rows` is the number of rows whose outputs a replica keeps. `deduplicate` is the time after an answer
    over Kafka during which a request with the same id gets that answer again.
    """

    model_version: int
    digest: Digest
    share: Annotated[float, Field(ge=0, le=1)]
    role: Annotated[Text, open_to(RouteRole)]
    features: dict[Column, Feature]
    ignore_unknown_fields: bool = False
    unknown_fields: Annotated[Text | None, open_to(UnknownFields)] = None
    log: Annotated[Text, open_to(LogDelivery)] = LogDelivery.ACKNOWLEDGED.value
    answer_cache_rows: Annotated[int, Field(ge=0)] = 0
    deduplicate: PositiveDuration | None = None


class DeploymentChanged(ModelEvent):
    """The deployment of a model changed. The event with the highest `revision` is in force (compacted topic).

    `evidence` says which requests the other version scores. The primary then also scores the requests that the other
    version answers, so that both are compared on the same requests. None without a rollout: each version scores only
    the requests that it answers.
    """

    topic: ClassVar[str] = "deployments.changed"

    revision: int
    routes: tuple[Route, ...]
    evidence: Annotated[Text | None, open_to(EvidenceScope)] = None


class ReplicaChanged(ModelEvent):
    """A serving replica changed the state of a version. `detail` is the reason if the replica refuses the version."""

    topic: ClassVar[str] = "replicas.changed"

    replica: Text
    model_version: int
    digest: Digest
    revision: int
    state: Annotated[Text, open_to(ReplicaState)]
    detail: Message = ""
    at: Utc


class RolloutChanged(ModelEvent):
    """A rollout began, took a step, ran out of time without enough evidence, was decided by a person, or ended.

    `share` is the part of the requests that the candidate answers, from 0 to 1. `at` is the time of the decision.
    """

    topic: ClassVar[str] = "rollouts.changed"

    candidate: int
    champion: int
    strategy: Annotated[Text, open_to(RolloutStrategy)]
    state: Annotated[Text, open_to(RolloutState)]
    share: float
    verdict: Annotated[Text, open_to(RolloutVerdict)] = ""
    answers: int
    at: Utc
