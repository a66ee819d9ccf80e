"""Values and a running registry for the tests of the registry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr
from rondo.chassis.postgres.pool import Database, connect
from rondo.contracts.events.models import GateResult
from rondo.contracts.events.training import ModelTrained, Trigger
from rondo.contracts.spec.file import parse_spec
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import (
    Evaluation,
    Evidence,
    NumericProfile,
    Parity,
    PerformanceFigure,
    ReferenceProfile,
    SliceMetrics,
)
from rondo.registry.model.model import Candidate, Model
from rondo.registry.registration.candidates import register_candidate
from rondo.registry.settings import Settings

from tests.registry.builders import compared, onnx_model
from tests.registry.fakes import FakeStore
from tests.registry.scenarios import OnPostgres
from tests.support.access import SEEDS
from tests.support.evidence import evidence_of, stored, stored_artifact
from tests.support.processes import ServiceProcess

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.spec.model import ModelSpec

    from tests.registry.scenarios import Backend

SPEC = """\
model: late
data: {dataset: flights, entity: id, event_time: at, label: late}
features:
  carrier: {type: category}
  distance: {type: float, min: 0}
gates: {roc_auc: {min: 0.6, not_worse_than_champion: 0.01}}
"""
DAY = datetime(2013, 3, 1, tzinfo=UTC)
TASK = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)
MakeTrained = Callable[..., ModelTrained]
MakeCandidate = Callable[..., Candidate]
ModelAfter = Callable[[str], Model]


def make_trained(  # noqa: PLR0913 - what the tests vary
    run: str = "run-1",
    *,
    auc: float = 0.7,
    champion: tuple[int, float] | None = None,
    model: str = "late",
    spec: ModelSpec | None = None,
    digest: str | None = None,
    slices: tuple[SliceMetrics, ...] = (),
    champion_slices: tuple[SliceMetrics, ...] = (),
    parity: Parity = Parity(rows=100, max_difference=1e-7),  # noqa: B008 - frozen
    kind: str = "drift",
    artifact: str | None = None,
    task: FittedTask = TASK,
) -> ModelTrained:
    content = onnx_model(run)
    numbers = NumericProfile(edges=(0.5,), counts=(1, 1))
    evidence = Evidence(
        candidate=Evaluation(metrics={"roc_auc": auc}, slices=slices),
        champion=Evaluation(metrics={"roc_auc": champion[1]}, slices=champion_slices) if champion else None,
        champion_version=champion[0] if champion else None,
        comparisons=(compared(auc, champion[1]),) if champion else (),
        profile=ReferenceProfile(
            rows=2,
            features={"distance": numbers},
            outputs={"score": numbers},
            task=task,
            performance={"roc_auc": PerformanceFigure(value=auc, error=0.01)},
        ),
        parity=parity,
        data=({"table": "datasets/flights", "version": 3, "digest": f"sha256:{'d' * 64}"},),  # type: ignore[arg-type]
        training_set_digest=f"sha256:{'e' * 64}",
        rows_trained=900,
        rows_holdout=100,
        event_time_from=DAY,
        event_time_to=DAY,
        as_of=DAY,
        spec_digest=(spec or parse_spec(SPEC)).digest,
        code_version="1.0",
        seed=7,
        environment={"lightgbm": "4.6"},
    )
    return ModelTrained(
        model=model,
        run_id=run,
        trigger=Trigger(id=f"finding-{run}", kind=kind, at=DAY, detail="temp drifted", artifact=artifact),  # type: ignore[arg-type]
        digest=digest or stored_artifact(content),
        size=len(content),
        evidence=stored(evidence),
        summary=evidence.summary(),
        started_at=DAY,
        finished_at=DAY,
    )


@pytest.fixture
def day() -> datetime:
    return DAY


@pytest.fixture
def spec_text() -> str:
    return SPEC


@pytest.fixture
def spec() -> ModelSpec:
    return parse_spec(SPEC)


@pytest.fixture
def trained() -> MakeTrained:
    """Return a function that makes a ModelTrained. By default it is a good candidate for the first version."""
    return make_trained


@pytest.fixture(scope="session")
def evidence() -> Evidence:
    """Return evidence that compares with version 1. Shared, so that hypothesis can use it."""
    return evidence_of(make_trained(champion=(1, 0.7)))


@pytest.fixture
def make_evidence() -> Callable[..., Evidence]:
    """Return a function that makes the evidence of the candidates of `trained`."""
    return lambda **more: evidence_of(make_trained(**more))


def make_candidate(run: str = "run-1", *, passed: bool = True, **more: Any) -> Candidate:
    gate = GateResult(gate="roc_auc.min", passed=passed, observed=0.7, bound=0.6, message="ROC AUC 0.700")
    return Candidate(make_trained(run, **more), (gate,))


@pytest.fixture
def candidate() -> MakeCandidate:
    """Return a function that makes a candidate that passed, or failed, one gate."""
    return make_candidate


@pytest.fixture(scope="session")
def model_after() -> ModelAfter:
    """Return a function that gives the model after candidates that passed (p) or failed (f), such as "pfp"."""

    def run(outcomes: str) -> Model:
        model = Model("late", parse_spec(SPEC), 1)
        for number, outcome in enumerate(outcomes, 1):
            candidate = make_candidate(f"run-{number}", passed=outcome == "p")
            model = register_candidate(model, candidate, model.spec).after
        return model

    return run


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Backend:
    """Return the store in memory, and then the one on real PostgreSQL."""
    if request.param == "memory":
        return FakeStore()
    return OnPostgres(request.getfixturevalue("registry_database"))


@pytest.fixture
async def registry_settings(database: Callable[[str], Any], tmp_path: Path, free_port: Callable[[], int]) -> Settings:
    """Return settings with a database that only this test uses, and no Kafka."""
    return Settings(
        kafka="127.0.0.1:1",
        http_port=free_port(),
        tokens=SecretStr(SEEDS),
        postgres=SecretStr(await database("registry")),
        artifacts=str(tmp_path / "artifacts"),
    )


@pytest.fixture
async def registry_database(postgres: str) -> AsyncIterator[Database]:
    """Return a migrated schema that only this test uses, on a real PostgreSQL. It is much faster than a database."""
    schema = f"registry_{uuid4().hex[:12]}"
    settings = Settings(
        service=schema,
        kafka="127.0.0.1:1",
        postgres=SecretStr(postgres),
        artifacts="unused",
    )
    owner: asyncpg.Connection[Any] = await asyncpg.connect(postgres)
    await owner.execute(f"create schema {schema}")
    async with connect(settings, files("rondo.registry") / "migrations") as opened:
        yield opened
    await owner.execute(f"drop schema {schema} cascade")
    await owner.close()


@pytest.fixture
def run_registry(tmp_path: Path) -> Callable[..., Any]:
    """Return a context manager that runs `python -m rondo.registry` with some settings."""

    @asynccontextmanager
    async def run(settings: Settings, without: str = "") -> AsyncIterator[ServiceProcess]:
        environment: dict[str, str | None] = {
            "RONDO_KAFKA": str(settings.kafka),
            "RONDO_POSTGRES": settings.postgres.get_secret_value(),
            "RONDO_HTTP_PORT": str(settings.http_port),
            "RONDO_TOKENS": settings.tokens.get_secret_value(),
            "RONDO_ARTIFACTS": settings.artifacts,
            "RONDO_REPLICA": settings.replica,
        }
        if without:
            environment[without] = None
        with ServiceProcess("registry", environment, tmp_path / f"registry-{settings.http_port}.log") as process:
            yield process
            if process.is_running:
                await asyncio.to_thread(process.stop)

    return run
