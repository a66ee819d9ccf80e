"""Queries on real PostgreSQL: the number of SQL statements, and the indexes that serve them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from rondo.chassis.postgres.pool import Database
from rondo.chassis.postgres.transaction import Transaction
from rondo.contracts.spec.model import ModelSpec
from rondo.registry.errors import UnknownModelError, UnknownVersionError
from rondo.registry.postgres import runs
from rondo.registry.postgres.queries import PostgresQueries

from tests.registry.scenarios import OnPostgres, apply, handle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NOW = datetime(2030, 1, 1, tzinfo=UTC)
READS = ("fetch", "fetchrow", "fetchval")


class Counted:
    """A connection that records its queries."""

    def __init__(self, connection: Any, queries: list[str]) -> None:
        self._connection = connection
        self._queries = queries

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name not in READS:
            return found

        def ask(sql: str, *arguments: object) -> Any:
            self._queries.append(sql)
            return found(sql, *arguments)

        return ask


class CountingDatabase(Database):
    """A database whose connections record their queries."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.pool, database.service)
        self.queries: list[str] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as opened:
            yield Transaction(Counted(opened.connection, self.queries), self.service)  # type: ignore[arg-type]


@pytest.fixture
async def counting(registry_database: Database, spec: ModelSpec, trained: Callable[..., Any]) -> CountingDatabase:
    """Return a database with five models, each of which was deployed twice."""
    store = OnPostgres(registry_database)
    for name in "abcde":
        mine = ModelSpec.model_validate(spec.as_dict() | {"model": name})
        await apply(store, mine)
        for number, champion in ((1, None), (2, (1, 0.7))):
            event = trained(f"{name}-{number}", model=name, spec=mine, champion=champion)
            await handle(store, event, event.run_id)
    return CountingDatabase(registry_database)


async def test_all_models_take_as_many_statements_as_one(counting: CountingDatabase) -> None:
    queries = PostgresQueries(counting)
    await queries.model("a")
    of_one = len(counting.queries)
    counting.queries.clear()
    found = await queries.models()
    assert [(m.name, m.revision, m.served, m.routes[0].model_version) for m in found] == [
        (name, 2, (1, 2), 2) for name in "abcde"
    ]
    assert (of_one, len(counting.queries)) == (2, 2)


async def test_the_schedules_read_the_specs_and_nothing_else(counting: CountingDatabase) -> None:
    assert [spec.model for spec in await PostgresQueries(counting).specs()] == list("abcde")
    (sql,) = counting.queries
    assert "deployments" not in sql
    assert "versions" not in sql


async def test_one_version_is_read_alone(counting: CountingDatabase) -> None:
    queries = PostgresQueries(counting)
    found = await queries.version("b", 2)
    assert (found.version.number, found.version.state, found.candidate.trained.run_id) == (2, "champion", "b-2")
    (sql,) = counting.queries
    assert "number = $2" in sql
    with pytest.raises(UnknownVersionError):
        await queries.version("b", 9)
    with pytest.raises(UnknownModelError) as unknown:
        await queries.version("z", 1)
    assert unknown.value.known == tuple("abcde")


@pytest.mark.parametrize(
    ("sql", "arguments", "index"),
    [
        (runs.LATEST_SQL, (100, NOW, ""), "runs_by_time"),
        (runs.LATEST_OF_MODEL_SQL, (100, NOW, "", "m-7"), "runs_by_model"),
    ],
)
async def test_the_latest_runs_come_from_an_index(
    registry_database: Database, sql: str, arguments: tuple[object, ...], index: str
) -> None:
    async with registry_database.transaction() as work:
        await work.connection.execute(
            "insert into runs (run_id, model, state, trigger, updated_at)"
            " select 'run-' || n, 'm-' || n % 50, 'failed', '{}', now() - n * interval '1 minute'"
            " from generate_series(1, 20000) n"
        )
        await work.connection.execute("analyze runs")
        plan = "\n".join(row[0] for row in await work.connection.fetch(f"explain {sql}", *arguments))
    assert f"using {index}" in plan
    assert "Sort" not in plan
