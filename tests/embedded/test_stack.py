"""The whole stack, with stubs of the services."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaProducer
from rondo.chassis.events.broker import create_topics
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded import SERVICES, Addresses, Postgres, Service, Stack
from rondo.embedded.errors import (
    HomeBusyError,
    KafkaUnavailableError,
    KeptDataError,
    NotReadyError,
    PostgresUnavailableError,
    UsedKafkaError,
    UsedPostgresError,
)
from rondo.embedded.postgres.binaries import remove_location

FAKE = str(Path(__file__).with_name("fake_service.py"))
STAND_INS = [replace(each, command=(sys.executable, FAKE)) for each in SERVICES]


def environment_of(stack: Stack, service: str) -> dict[str, str]:
    """Return the environment of a stand-in."""
    with urllib.request.urlopen(  # noqa: S310 - our own address
        f"{stack.addresses.http[service]}/env", timeout=5
    ) as answer:
        return dict(json.load(answer))


async def test_a_stack_from_start_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes, the settings of each service, the refusal of a second stack, and the remaining files."""
    monkeypatch.delenv("RONDO_TEST_SERVERS", raising=False)
    home, lines = tmp_path / "home", list[str]()
    before = set(psutil.Process().children(recursive=True))
    async with Stack(home, services=STAND_INS, progress=lines.append) as stack:
        assert stack.kafka is not None
        assert Addresses.read(home) == stack.addresses
        assert stat.S_IMODE((home / "stack.json").stat().st_mode) == 0o600
        assert environment_of(stack, "registry") == {
            "RONDO_SERVICE": "registry",
            "RONDO_KAFKA": stack.kafka.bootstrap,
            "RONDO_TOKENS_FILE": str(home / "tokens"),
            "RONDO_POSTGRES": stack.addresses.postgres["registry"],
            "RONDO_HTTP_HOST": "127.0.0.1",
            "RONDO_HTTP_PORT": stack.addresses.http["registry"].split(":")[2],
            "RONDO_ARTIFACTS": str(home / "artifacts"),
            "RONDO_DATA": str(home / "data"),
        }
        assert "RONDO_POSTGRES" not in environment_of(stack, "serving")
        assert environment_of(stack, "ingestion")["RONDO_INBOX"] == str(home / "inbox")
        with pytest.raises(HomeBusyError) as busy:
            await Stack(home, services=[]).__aenter__()
        assert busy.value.pid == os.getpid()
        stack.kill("trainer")
        wait_until(lambda: not stack.services["trainer"].process.is_running)
        await stack.wait_ready("trainer")
        assert {name for name, count in stack.restarts().items() if count} == {"trainer"}
        children = set(psutil.Process().children(recursive=True)) - before
    assert not any(_runs(child) for child in children)
    assert not (home / "stack.json").exists()
    servers, services, end = (line.split() for line in lines if not line.startswith("fetch"))
    assert (servers[0], {*servers} >= {"Kafka", "PostgreSQL"}) == ("starting", True)
    assert services == ["starting", *", ".join(each.name for each in SERVICES).split()]
    assert end == ["stopping"]


async def test_a_named_broker_that_does_not_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check runs before anything else is started."""
    monkeypatch.setenv("RONDO_KAFKA", "127.0.0.1:9")
    with pytest.raises(KafkaUnavailableError, match=r"is not available \(nothing answers at RONDO_KAFKA=127.0.0.1:9\)"):
        await Stack(tmp_path / "home", services=[]).__aenter__()


async def test_a_malformed_kafka_address_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RONDO_KAFKA", "kafka:9092,kafka")
    with pytest.raises(KafkaUnavailableError) as refused:
        await Stack(tmp_path / "home", services=[]).__aenter__()
    assert refused.value.reason.startswith("RONDO_KAFKA: 'kafka' ")


@pytest.mark.slow
async def test_servers_that_run_already_are_used(
    tmp_path: Path, clean_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RONDO_KAFKA and RONDO_POSTGRES name them. Services do not get the superuser's address."""
    kafka = clean_kafka
    async with Postgres(tmp_path / "postgres") as postgres:
        monkeypatch.setenv("RONDO_KAFKA", kafka)
        monkeypatch.setenv("RONDO_POSTGRES", postgres.dsn)
        async with Stack(tmp_path / "home", services=STAND_INS[:1]) as stack:
            assert (stack.kafka, stack.postgres) == (None, None)
            assert environment_of(stack, "ingestion")["RONDO_KAFKA"] == kafka
            assert environment_of(stack, "ingestion")["RONDO_POSTGRES"].endswith(f"@127.0.0.1:{postgres.port}/rondo")
            assert environment_of(stack, "ingestion")["RONDO_POSTGRES"].startswith("postgresql://ingestion:")
        assert postgres.process.is_running


@pytest.mark.slow
async def test_what_an_earlier_run_left_on_such_servers_is_not_taken_for_this_ones(
    tmp_path: Path, clean_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start without data is refused and deletes nothing. A start that keeps the data is allowed."""
    home = tmp_path / "home"
    async with Postgres(tmp_path / "postgres") as postgres:
        monkeypatch.setenv("RONDO_KAFKA", clean_kafka)
        monkeypatch.setenv("RONDO_POSTGRES", postgres.dsn)
        async with Stack(home, services=STAND_INS[:1]) as stack:
            (home / "data" / "table").touch()
            service = await asyncpg.connect(stack.addresses.postgres["ingestion"])
            await service.execute("CREATE TABLE batches (id text)")
            await service.close()
        with pytest.raises(UsedPostgresError) as tables:
            await Stack(home, services=[]).__aenter__()
        assert str(tables.value) == (
            "the PostgreSQL that RONDO_POSTGRES names has the state of an earlier run (the database rondo, schemas "
            "ingestion), which this run would process as its own: drop that database, name another server, unset "
            "RONDO_POSTGRES to get a new one, or continue with them with `rondo up`."
        )
        create_topics(KafkaConnection(clean_kafka))
        async with AIOKafkaProducer(**KafkaConnection(clean_kafka).aiokafka()) as producer:
            await producer.send_and_wait("models.promoted", b"{}")
        with pytest.raises(UsedKafkaError) as events:
            await Stack(home, services=[]).__aenter__()
        assert str(events.value) == (
            f"the Kafka at RONDO_KAFKA={clean_kafka} has the events of an earlier run (models.promoted), which this "
            "run would process as its own: delete those topics, name another broker, unset RONDO_KAFKA to get a new "
            "one, or continue with them with `rondo up`."
        )
        assert (home / "data" / "table").exists()
        async with Stack(home, services=[], keep=True):
            pass


async def test_a_named_postgresql_that_does_not_answer_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check runs before anything else is started."""
    monkeypatch.setenv("RONDO_POSTGRES", "postgresql://postgres:x@127.0.0.1:9/postgres")
    with pytest.raises(PostgresUnavailableError) as caught:
        await Stack(tmp_path / "home", services=[]).__aenter__()
    assert caught.value.code == "postgres_unavailable"
    assert caught.value.reason


@pytest.mark.slow
async def test_a_second_stack_in_the_folder_that_the_message_offers_runs_beside_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal suggests RONDO_HOME=.rondo-2. That stack has its own servers, ports and files."""
    monkeypatch.chdir(tmp_path)
    async with Stack(services=STAND_INS) as first:
        with pytest.raises(HomeBusyError) as caught:
            await Stack(services=STAND_INS).__aenter__()
        assert (caught.value.code, caught.value.home) == ("home_busy", first.home)
        assert "RONDO_HOME=.rondo-2" in str(caught.value)
        monkeypatch.setenv("RONDO_HOME", ".rondo-2")
        async with Stack(services=STAND_INS) as second:
            assert (first.home.name, second.home.name) == (".rondo", ".rondo-2")
            for stack in (first, second):
                assert stack.kafka is not None
                assert stack.postgres is not None
                assert await stack.kafka.answers()
                assert await stack.postgres.answers()
                assert environment_of(stack, "registry")["RONDO_KAFKA"] == stack.kafka.bootstrap
                assert Addresses.read(stack.home) == stack.addresses
                assert not any(stack.restarts().values())
        assert await first.kafka.answers() if first.kafka else False
        assert environment_of(first, "registry")["RONDO_DATA"] == str(first.home / "data")


@pytest.mark.slow
async def test_state_is_kept_on_request_alone(
    tmp_path: Path, clean_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start without `keep` removes the data. A start with it keeps all data, including artifacts."""
    monkeypatch.setenv("RONDO_KAFKA", clean_kafka)
    home = tmp_path / "home"
    for _ in range(2):
        async with Stack(home, services=[]):
            assert not (home / "artifacts" / "model").exists()
            (home / "artifacts" / "model").touch()
    async with Stack(home, services=[], keep=True):
        assert (home / "artifacts" / "model").exists()


@pytest.mark.slow
async def test_what_is_kept_is_not_erased_by_a_start_from_nothing(
    tmp_path: Path, clean_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make demo` after `make up` is refused without deleting anything. `make up` continues."""
    monkeypatch.setenv("RONDO_KAFKA", clean_kafka)
    home = tmp_path / "home"
    async with Stack(home, services=[], keep=True):
        (home / "artifacts" / "model").touch()
    with pytest.raises(KeptDataError) as caught:
        await Stack(home, services=[]).__aenter__()
    assert str(caught.value) == (
        f"`rondo up` keeps its data in {home}, and a demo would delete it: give the demo its own folder "
        "(RONDO_HOME=.rondo-demo make demo), or delete that data first (`make clean` removes .rondo)"
    )
    async with Stack(home, services=[], keep=True):
        assert (home / "artifacts" / "model").exists()


@pytest.mark.slow
async def test_a_service_that_cannot_start_stops_everything(
    tmp_path: Path, clean_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed start leaves no process running, and releases the folder."""
    monkeypatch.setenv("RONDO_KAFKA", clean_kafka)
    dying = Service("registry", command=(sys.executable, "-c", "raise SystemExit('no such table')"))
    before = set(psutil.Process().children())
    with pytest.raises(NotReadyError) as caught:
        await Stack(tmp_path / "home", services=[dying]).__aenter__()
    assert (caught.value.code, caught.value.name) == ("not_ready", "registry")
    assert "3 times" in caught.value.why
    assert caught.value.last_line == "no such table"
    assert set(psutil.Process().children()) <= before
    async with Stack(tmp_path / "home", services=[]):
        pass


@pytest.mark.slow
async def test_services_load_while_kafka_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(tmp_path / "home", services=STAND_INS[:1])
    if stack.kafka is None:
        pytest.skip("Kafka runs already")
    answers = stack.kafka.answers

    async def once_a_service_runs() -> bool:
        return bool(stack.services) and await answers()

    monkeypatch.setattr(stack.kafka, "answers", once_a_service_runs)
    monkeypatch.setattr(stack.kafka, "ready_within_seconds", 60)
    async with stack:
        assert [service.process.is_running for service in stack.services.values()] == [True]


@pytest.mark.slow
async def test_without_a_package_registry_the_stack_stops_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first start offline gives one line, and PostgreSQL is stopped."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("RONDO_MAVEN", "http://127.0.0.1:9")
    before = set(psutil.Process().children())
    with pytest.raises(KafkaUnavailableError) as caught:
        await Stack(tmp_path / "home", services=[]).__aenter__()
    assert caught.value.code == "kafka_unavailable"
    assert "127.0.0.1:9" in caught.value.reason
    assert "\n" not in str(caught.value)
    assert set(psutil.Process().children()) <= before


SCRIPT = f"""
import asyncio, pathlib, sys
from rondo.embedded import Service, Stack
async def main():
    services = [Service("serving", needs_postgres=False, command=(sys.executable, {FAKE!r}))]
    async with Stack(pathlib.Path(sys.argv[1]), services=services):
        await asyncio.Event().wait()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("stopped in order")
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.slow
def test_children_go_with_their_parent(tmp_path: Path, sent: signal.Signals) -> None:
    """This holds for `kill -9`, too (Linux). Other signals stop the stack in order."""
    home = tmp_path / "home"
    command = [sys.executable, "-c", SCRIPT, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603 - our own script
        wait_until((home / "stack.json").exists, 60)
        children = psutil.Process(parent.pid).children(recursive=True)
        assert {"java", "postgres"} <= {child.name() for child in children}
        parent.send_signal(sent)
        output, _ = parent.communicate(timeout=60)
    wait_until(lambda: not any(_runs(child) for child in children))
    remove_location(home / "postgres")  # what a killed stack leaves outside its folder, the next start removes
    assert output == ("" if sent is signal.SIGKILL else "stopped in order\n")


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], bool], timeout_seconds: float = 30) -> None:
    """Return when the condition holds. Fail after the timeout."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            message = f"not true within {timeout_seconds} s"
            raise AssertionError(message)
        time.sleep(0.02)
