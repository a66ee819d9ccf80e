"""Any value in a path or a query is answered, or refused by a problem with a code, and never by a 5xx.

All routes are walked as the documents of the APIs have them, with real stores behind: a text that PostgreSQL or a file
system refuses reaches it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.chassis.postgres import pool
from rondo.chassis.settings import PostgresSettings
from rondo.ingestion.batches.publisher import BatchPublisher
from rondo.ingestion.batches.service import BatchService
from rondo.ingestion.batches.spool import Spool
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.http import routes as ingestion
from rondo.ingestion.http.context import ApiContext
from rondo.ingestion.postgres import PostgresBatchStore
from rondo.ingestion.scoring.postgres_jobs import PostgresScoringJobs
from rondo.ingestion.spec_cache import SpecCache
from rondo.monitor import http as monitor
from rondo.monitor.assignment.postgres_replicas import ReplicaList
from rondo.monitor.errors import UnknownModelError
from rondo.monitor.history.postgres_windows import WindowLog
from rondo.monitor.notifications.http import Notifications
from rondo.monitor.notifications.postgres_alerts import PostgresAlerts
from rondo.monitor.notifications.webhook_delivery import Deliveries
from rondo.registry.audit.verifier import AuditVerifier
from rondo.registry.http import app as registry
from rondo.registry.http import dependencies
from rondo.registry.postgres.queries import PostgresQueries
from rondo.registry.postgres.unit_of_work import PostgresStore
from rondo.serving.bulk.direct import DirectAnswers
from rondo.serving.http.endpoints import api as serving_api
from rondo.serving.inference.service import InferenceService
from rondo.serving.models.serving_table import ServedModels

from tests.http_apis.test_documents import HEALTH, is_problem
from tests.ingestion.builders import spec
from tests.registry.builders import onnx_model
from tests.serving.http.inference_api import LogTopic
from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from rondo.chassis.postgres.pool import Database
    from starlette.types import ASGIApp

    Databases = Callable[[str], Awaitable[str]]

UNUSED: Any = None
TEXTS = ("%00", "a%00b", "%ED%A0%80", "a" * 10_000, "..%2f", "%F0%9F%9A%95", "%FF", "", "..", "%27%3B--")
NUMBERS = (*TEXTS, f"1{'0' * 30}", "-1", "NaN", "Infinity", "1.5", "9223372036854775808", "2147483648")
# Existing objects, so that a hostile value next to one gets as far as a valid value.
KNOWN = {
    "dataset": "rides", "batch_id": "january", "model": "tips", "version": "1", "action": "pause",
    "silence_id": "1", "delivery_id": "1", "token_id": "a", "job": "0123456789abcdef", "start": "2024-03-01T00:00:00Z",
}  # fmt: skip
BODIES: dict[str, bytes] = {
    "application/octet-stream": onnx_model("a"),
    "application/yaml": orjson.dumps(spec().as_dict()),
    "text/csv": b"a,b\n1,2\n",
    "application/vnd.apache.arrow.stream": b"",
}


@asynccontextmanager
async def connected(service: str, databases: Databases) -> AsyncIterator[Database]:
    settings = PostgresSettings.model_validate(
        {"service": service, "kafka": "none:1", "http_port": 0, "postgres": await databases(service)}
    )
    async with pool.connect(settings, files(f"rondo.{service}") / "migrations") as database:
        yield database


@asynccontextmanager
async def of_ingestion(databases: Databases, folder: Path) -> AsyncIterator[ASGIApp]:
    async with connected("ingestion", databases) as database:
        app, specs, spool = ingestion.api(), SpecCache([spec()]), Spool(folder / "spool", 1024 * 1024)
        spool.clear()
        tables, batches = DeltaTables(str(folder / "data")), PostgresBatchStore(database)
        publisher, reports = BatchPublisher(tables), Artifacts(str(folder / "artifacts"))
        service = BatchService(specs, batches, publisher, reports)
        app.state.context = ApiContext(
            service, spool, batches, publisher, tables, reports, specs, PostgresScoringJobs(database)
        )
        yield app


@asynccontextmanager
async def of_registry(databases: Databases, folder: Path) -> AsyncIterator[ASGIApp]:
    async with connected("registry", databases) as database:
        app, store, queries = registry.api(), PostgresStore(database), PostgresQueries(database)
        artifacts = Artifacts(str(folder / "artifacts"))
        dependencies.open_api(app, dependencies.ApiContext(store, queries, artifacts, AuditVerifier(queries)))
        yield app


@asynccontextmanager
async def of_monitor(databases: Databases, folder: Path) -> AsyncIterator[ASGIApp]:
    async def require(model: str) -> None:
        if model != KNOWN["model"]:
            raise UnknownModelError(model, [KNOWN["model"]])

    async def of_model(model: str, *_: Any) -> Any:
        await require(model)
        raise UnknownModelError(model, [])

    async def none() -> tuple[()]:
        return ()

    async def replicas() -> ReplicaList:
        return ReplicaList(partitions=1, unassigned=(0,), replicas=())

    async with connected("monitor", databases) as database:
        app, alerts = monitor.api(), PostgresAlerts(database)
        deliveries = Deliveries(database, alerts, UNUSED, (), UNUSED)
        notifications = Notifications(alerts, deliveries, require)
        log = WindowLog(database)
        opened = monitor.Opened(none, of_model, require, log.page, log.one, notifications, of_model, replicas)
        monitor.open_api(app, opened)
        yield app


@asynccontextmanager
async def of_serving(databases: Databases, folder: Path) -> AsyncIterator[ASGIApp]:
    async def report() -> dict[str, str]:
        return {}

    versions: Any = object()  # no message gets this far
    bulk = DirectAnswers(versions, UNUSED)
    yield serving_api(ServedModels(), InferenceService(LogTopic().publish, UNUSED), report, bulk)


SERVICES = {"ingestion": of_ingestion, "monitor": of_monitor, "registry": of_registry, "serving": of_serving}


@pytest.fixture(params=SERVICES)
async def http(request: pytest.FixtureRequest, database: Databases, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with SERVICES[request.param](database, tmp_path) as api:
        app = guarded(Health(), await token_cache(), api)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=bearer()) as opened:
            yield opened


def kind_of(schema: dict[str, Any]) -> str:
    return next(filter(None, (each.get("type") for each in schema.get("anyOf", [schema]))))


def example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """Return a value that has the required members."""
    if reference := schema.get("$ref"):
        return example(schemas[reference.rpartition("/")[2]], schemas)
    if "anyOf" in schema or "enum" in schema:
        return schema["enum"][0] if "enum" in schema else example(schema["anyOf"][0], schemas)
    match schema.get("type"):
        case "object":
            return {name: example(schema["properties"][name], schemas) for name in schema.get("required", ())}
        case "array":
            return [example(schema.get("items", {}), schemas)]
        case "string":
            return "a"
    return 1


def addresses(path: str, parameters: list[dict[str, Any]]) -> Iterator[str]:
    """Return the path with existing objects, then with each hostile value in each parameter."""
    yield path.format(**KNOWN)
    for parameter in parameters:
        name = parameter["name"]
        for value in NUMBERS if kind_of(parameter["schema"]) in {"integer", "number"} else TEXTS:
            known = KNOWN | ({name: value} if parameter["in"] == "path" else {})
            yield path.format(**known) + (f"?{name}={value}" if parameter["in"] == "query" else "")


@pytest.mark.sampled(1)
async def test_no_parameter_makes_a_service_fail(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    operations = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path not in HEALTH
    ]
    failed, asked = [], 0
    for method, path, operation in sorted(operations, key=lambda each: each[0] == "delete"):
        content = operation.get("requestBody", {}).get("content", {})
        media_type = next((each for each in content if each in BODIES), next(iter(content), ""))
        body: dict[str, Any] = {}
        if media_type == "application/json":
            body = {"json": example(content[media_type]["schema"], schemas)}
        elif media_type:
            body = {"content": BODIES[media_type], "headers": {"content-type": media_type}}
        for address in addresses(path, operation.get("parameters", [])):
            answer = await http.request(method, address, **body)
            asked += 1
            status = answer.status_code
            if status >= 500 or (status >= 400 and not is_problem(answer, status, answer.json()["code"])):
                failed.append((method, address[:100], status, answer.text[:300]))
    assert not failed
    assert asked >= 50
