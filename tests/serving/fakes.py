"""Fakes of what the handlers of serving need, and deployments for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.chassis.errors import UnavailableError
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import DeploymentChanged, Route
from rondo.contracts.spec.model import Feature
from rondo.serving.errors import VersionRefusedError
from rondo.serving.handlers import Replica
from rondo.serving.models.answer_cache import AnswerCache
from rondo.serving.models.loaded_version import LoadedVersion
from rondo.serving.models.serving_table import ServedModels
from rondo.serving.outputs.schema import OutputSchema
from rondo.serving.prediction_log.batch import VersionLog
from rondo.serving.requests.schema import RequestSchema

from tests.serving.builders import BINARY

if TYPE_CHECKING:
    from rondo.contracts.tasks.base import FittedTask

FEATURES = {"a": Feature(type="float")}
MISSING = "no artifact"


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def route(number: int, share: float = 1, role: str = "primary", **features: Feature) -> Route:
    return Route(
        model_version=number,
        digest=digest(number),
        share=share,
        role=role,
        features=features or FEATURES,  # type: ignore[arg-type]
    )


def deployment(
    revision: int, *routes: Route, model: str = "delay", evidence: str | None = None
) -> Envelope[DeploymentChanged]:
    event = DeploymentChanged(model=model, revision=revision, routes=routes, evidence=evidence)
    return Envelope(f"e{revision}", "rondo/registry", datetime.now(UTC), event)


class FakeLoader:
    """Loads every version but those in `refused`. Fails the first `unavailable` times.

    A version has the task in `tasks`, by default a binary one.
    """

    def __init__(self) -> None:
        self.refused: set[int] = set()
        self.tasks: dict[int, FittedTask] = {}
        self.unavailable = 0
        self.loaded: list[int] = []

    async def load(self, model: str, wanted: Route) -> LoadedVersion:
        if self.unavailable:
            self.unavailable -= 1
            raise UnavailableError("the artifact store", "asleep")
        if wanted.model_version in self.refused:
            raise VersionRefusedError(model, wanted.model_version, MISSING)
        self.loaded.append(wanted.model_version)
        outputs = OutputSchema.of(self.tasks.get(wanted.model_version, BINARY))
        log = VersionLog(model, wanted.model_version, wanted.digest, wanted.features, outputs)
        scorer: Any = object()
        schema, cache = RequestSchema(model, wanted.features), AnswerCache(model, outputs)
        return LoadedVersion(model, wanted.model_version, wanted.digest, schema, outputs, scorer, log, cache)


class FakeReplicaEvents:
    """Records what is published."""

    def __init__(self) -> None:
        self.states: list[tuple[str, int]] = []
        self.details: list[str] = []

    async def publish(self, _: str, __: int, version: tuple[int, str], state: str, detail: str = "") -> None:
        self.states.append((state, version[0]))
        self.details += [detail] if detail else []


def replica() -> tuple[Replica, FakeLoader, FakeReplicaEvents]:
    loader, events = FakeLoader(), FakeReplicaEvents()
    return Replica(ServedModels(), loader, events), loader, events


def serving(replica: Replica) -> list[int]:
    return [version.model_version for version in replica.models.table.models["delay"].versions]
