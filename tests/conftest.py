"""Real servers for the tests: Kafka and PostgreSQL, started once a session, and by each worker of a parallel run.

Where a Docker engine answers that has or gets the images of docker-compose.yml, testcontainers carries them. Elsewhere
the embedded stack does. `RONDO_TEST_SERVERS=embedded` or `docker` chooses by hand.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import re
import secrets
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, settings
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded.kafka.broker import Kafka
from rondo.embedded.postgres.server import Postgres
from rondo.embedded.processes import openmp

from tests.support import class_cache, scheduling
from tests.support.parameters import mark_samples
from tests.support.scheduling import FewBrokers
from tests.support.topics import remove_topics

# Property tests have no deadline, because a busy machine is not a counterexample. `make test-all` and the gate try more
# examples, with `--hypothesis-profile=thorough`.
settings.register_profile("rondo", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=15)
settings.register_profile("thorough", settings.get_profile("rondo"), max_examples=200)
settings.load_profile("rondo")
ROOT = Path(__file__).resolve().parent.parent
# Waiting threads do not spin. With as many workers as cores, each would take processor time from another.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Before any test imports LightGBM.
openmp.load(ROOT / ".venv" / "openmp")
_START_SECONDS = 120
_FIRST_PORT, _PORTS, _WORKERS = 15_000, 2_000, 8
# Less compilation halves the processor time of a broker that runs for seconds.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
# The fixtures stop their containers themselves, so no third image is needed for that.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
Services = Callable[[str], Awaitable[str]]


def _image(name: str) -> str:
    """Return the image of a service as docker-compose.yml pins it, so that tests and production run the same."""
    compose = (ROOT / "docker-compose.yml").read_text()
    found = re.search(rf"image: ({re.escape(name)}:\S+)", compose)
    assert found, f"docker-compose.yml names no image {name}"
    return found[1]


def _docker_has(image: str) -> bool:
    """Return whether Docker has an image, or can pull it."""
    return any(_succeeds(["docker", *command, image], 300) for command in (("image", "inspect"), ("pull", "--quiet")))


def _succeeds(command: list[str], seconds: float) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=seconds, check=False).returncode == 0  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False


def _docker_carries() -> bool:
    """Return whether Docker answers and has the images. An engine without access to a registry may lack them."""
    images = (_image(name) for name in ("apache/kafka", "postgres"))
    return _succeeds(["docker", "info"], 10) and all(map(_docker_has, images))


# What a test needs: by its mark, by the fixtures that it requests, and by what its file starts itself. Those that need
# nothing but Python, and little time, are run by `make test-fast`.
_FIXTURES = {"kafka": "kafka", "broker": "kafka", "postgres": "postgres", "in_docker": "kafka"}
_STARTS = {
    "process": re.compile(
        r"\bsubprocess\.(?:run|Popen)\(|create_subprocess_exec\(|\bStack\(|\bKafka\(|Process\("
        r"|\npytestmark = pytest\.mark\.process\n"
    ),
    "postgres": re.compile(r"\bPostgres\(|getfixturevalue\(\"(?:\w*database|postgres)\""),
}
_MEDIUM = "\npytestmark = pytest.mark.medium\n"
_PROCESSES = ("tests/e2e/", "tests/embedded/")
_RANK = {"kafka": 0, "process": 1, "postgres": 2, "unit": 3}


@cache
def _started_by(file: Path) -> frozenset[str]:
    text = file.read_text()
    return frozenset(marker for marker, pattern in _STARTS.items() if pattern.search(text))


def _has_no_fast_test(file: Path) -> bool:
    """Return whether all tests of a file start a process, or are marked as `medium`."""
    within = file.relative_to(ROOT).as_posix()
    return within.startswith(_PROCESSES) or bool(_started_by(file)) or _MEDIUM in file.read_text()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files without a test for `make test-fast`, which each worker would import without need."""
    wanted = str(config.getoption("markexpr"))
    is_file = collection_path.suffix == ".py" and collection_path.name.startswith("test_")
    return True if is_file and wanted.startswith("unit and") and _has_no_fast_test(collection_path) else None


def _needs(item: pytest.Item) -> set[str]:
    """Return the markers of a test: `process`, `kafka` and `postgres` as they apply, `unit` where none does."""
    asked = set(getattr(item, "fixturenames", ()))
    needs = {marker for fixture, marker in _FIXTURES.items() if fixture in asked} | _started_by(item.path)
    if item.nodeid.startswith(_PROCESSES) or item.get_closest_marker("process"):
        needs.add("process")
    # A fixture that is parametrised by the kind of store asks for the server by the parameter.
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    if any(isinstance(value, str) and value == "postgres" for value in parameters):
        needs.add("postgres")
    return needs or {"unit"}


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their parameter. Compressed bytes have a time, and all workers of a run need the same names."""
    return argname if isinstance(val, bytes) else None


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FewBrokers | None:
    """Divide the tests as `scheduling.py` says, where a file's tests are to stay together."""
    return FewBrokers(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test by its needs, and put the longest files first, so that all workers end together."""
    rank: dict[Path, int] = {}
    for item in items:
        for marker in _needs(item):
            item.add_marker(marker)
            rank[item.path] = min(rank.get(item.path, len(_RANK)), _RANK[marker])
        if item.get_closest_marker("medium"):
            rank[item.path] = min(rank[item.path], _RANK["process"])
    mark_samples(items)
    items.sort(key=lambda item: rank[item.path])
    scheduling.tell(config, items)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without garbage collections, which take a sixth of the time and free nearly nothing."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make the class cache for brokers, if one is started. A fixture can't do it, because tests have a time limit."""
    starts_a_broker = any(item.get_closest_marker("kafka") for item in session.items)
    if starts_a_broker and not session.config.getoption("collectonly") and not _chooses_docker():
        class_cache.make()
    _freeze()


def _freeze() -> None:
    """Exclude the objects of the test collection from garbage collections, which would check two million objects.

    With fewer objects that live long, Python would do a full collection more often. The thresholds say otherwise.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 50)


@pytest.fixture(scope="session", autouse=True)
def _one_tls_context() -> Iterator[None]:
    """Let all HTTP clients share a TLS context. Each would read the certificates again, in 40 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context))
        yield


@pytest.fixture(scope="session")
def in_docker() -> bool:
    """True if the servers run in containers of testcontainers."""
    return _chooses_docker()


@cache
def _chooses_docker() -> bool:
    chosen = os.environ.get("RONDO_TEST_SERVERS", "auto")
    return chosen == "docker" or (chosen == "auto" and (ROOT / "docker-compose.yml").exists() and _docker_carries())


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Return the embedded broker, in a folder whose name needs care in properties and in the JVM."""
    with Kafka(tmp_path_factory.mktemp("kafka") / "my data ü, \\t=1") as server:
        yield server


@pytest.fixture(scope="session")
def kafka(in_docker: bool, request: pytest.FixtureRequest) -> Iterator[str]:  # noqa: FBT001
    """Return the bootstrap address of a real broker, shared by the session."""
    if in_docker:
        yield from _kafka_in_docker()
    else:
        yield request.getfixturevalue("broker").bootstrap


@pytest.fixture(scope="session")
def postgres(in_docker: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: FBT001
    """Return the superuser's DSN of a real PostgreSQL, shared by the session."""
    if in_docker:
        yield from _postgres_in_docker()
        return
    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        asyncio.run(_without_sync(server.dsn))
        yield server.dsn


async def _create_database(connection: Any, name: str) -> None:
    """Create a database with the encoding that services need. That of a container's template may differ."""
    await connection.execute(f"create database {name} encoding 'UTF8' template template0 lc_collate 'C' lc_ctype 'C'")


async def _without_sync(dsn: str) -> None:
    """Let the server not wait for the disk, because its data need not survive a crash of the machine."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("alter system set fsync = off")
    await connection.execute("select pg_reload_conf()")
    await connection.close()


@pytest.fixture
def clean_kafka(kafka: str) -> str:
    """Return the broker without records, for tests with whole services, which read from the beginning."""
    remove_topics(kafka, keep_unused=True)
    return kafka


@pytest.fixture(scope="session")
def empty_databases(postgres: str) -> list[str]:
    """Return the names of empty databases. They are prepared, because each takes 0.3 s."""
    return []


@pytest.fixture
async def database(postgres: str, empty_databases: list[str]) -> AsyncIterator[Services]:
    """Return a function from a service's name to the DSN of its own role, in a database of this test alone."""
    connection = await asyncpg.connect(postgres)
    if empty_databases:
        name = empty_databases.pop()
    else:
        name = f"test_{uuid4().hex[:12]}"
        await _create_database(connection, name)
    mine = f"{postgres.rsplit('/', 1)[0]}/{name}"

    async def role(service: str) -> str:
        password = secrets.token_hex(8)
        owner: asyncpg.Connection[Any] = await asyncpg.connect(mine)
        user = f"{service}_{name}"
        await owner.execute(f"create role {user} login password '{password}'")
        await owner.execute(f"create schema {service} authorization {user}")
        await owner.close()
        return mine.replace(mine.split("//")[1].split("@", maxsplit=1)[0], f"{user}:{password}")

    yield role
    roles = [row["rolname"] for row in await connection.fetch(_ROLES, f"%\\_{name}")]
    await connection.fetch(_DISCONNECT, name)
    owner = await asyncpg.connect(mine)
    for each in roles:
        await owner.execute(f"drop owned by {each} cascade; drop role {each}")
    is_empty = not await owner.fetchval(_LEFT)
    await owner.close()
    if is_empty:
        empty_databases.append(name)
    else:
        await connection.execute(f'drop database "{name}" with (force)')
    await connection.close()


_ROLES = "select rolname from pg_roles where rolname like $1"
_DISCONNECT = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1"
# Schemas, and tables and functions outside of them.
_LEFT = """
select count(*) from (
  select nspname from pg_namespace where nspname !~ '^pg_' and nspname not in ('public', 'information_schema')
  union all select relname from pg_class where relnamespace = 'public'::regnamespace
  union all select proname from pg_proc where pronamespace = 'public'::regnamespace
) as found
"""


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a function that returns a free port.

    Each worker of a parallel run has a range of its own, below the range from which the kernel takes the ports of
    outgoing connections.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST_PORT + worker % _WORKERS * _PORTS

    def find() -> int:
        for port in random.sample(range(first, first + _PORTS), _PORTS):
            with socket.socket() as listener, suppress(OSError):
                listener.bind(("127.0.0.1", port))
                return port
        message = f"no port from {first} to {first + _PORTS} is free"
        raise RuntimeError(message)

    return find


def _kafka_in_docker() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - only where Docker is

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    container = DockerContainer(_image("apache/kafka")).with_bind_ports(9092, port)
    environment = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        # The broker reaches itself by a listener of its own: it verifies and ends transactions over the network, and
        # the host's port is not there inside the container.
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093,INSIDE://localhost:9094",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port},INSIDE://localhost:9094",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "5",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "5",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_MESSAGE_MAX_BYTES": str(8 * 1024 * 1024),
    }
    for name, value in environment.items():
        container = container.with_env(name, value)
    with container:
        _wait_for_kafka(f"127.0.0.1:{port}")
        yield f"127.0.0.1:{port}"


def _wait_for_kafka(bootstrap: str) -> None:
    """Wait for an answer and not for a line of the log, whose texts depend on the image."""
    admin = AdminClient({**KafkaConnection(bootstrap).confluent(), "log_level": 0})
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            admin.list_topics(timeout=1)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
        else:
            return


def _postgres_in_docker() -> Iterator[str]:
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 - only where Docker is

    with PostgresContainer(_image("postgres"), driver=None) as container:
        yield asyncio.run(_with_database(container.get_connection_url().replace("localhost", "127.0.0.1")))


async def _with_database(dsn: str) -> str:
    connection = await asyncpg.connect(dsn)
    await _create_database(connection, "rondo")
    await connection.close()
    return f"{dsn.rsplit('/', 1)[0]}/rondo"
