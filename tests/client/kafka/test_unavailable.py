"""Kafka becomes unavailable while a program, a stream and a terminal use it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka.errors import KafkaError
from rondo.chassis.events.broker import create_topics
from rondo.client import AsyncRondo, Prediction, request
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded.kafka.broker import Kafka, serves

from tests.client.conftest import answer_requests, make_connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rondo.contracts.events.predictions import PredictionRequested

# Longer than the 10 s of a request to Kafka.
OUTAGE_SECONDS = 14
CLOSED_PORT = "http://127.0.0.1:1"
# Without a logging configuration, as in a first try of the client.
PROGRAM = """
import sys
from datetime import UTC, datetime
from rondo.client import Connection, Rondo, RondoError

unreachable = dict.fromkeys(("registry", "ingestion", "serving"), "http://127.0.0.1:1")
with Rondo(Connection(kafka=sys.argv[1], token="x", **unreachable)) as rondo:
    def asked(seconds):
        try:
            rondo.predict("late", {}, id="a", seconds=seconds)
        except RondoError as error:
            return error

    # Nothing answers; on a busy machine the first request may not even arrive in time.
    while (error := asked(1)).delivery != "acknowledged":
        pass
    print(error.code, error.delivery, flush=True)
    input()
    error = asked(1)
    print(error.code, error.delivery, error, flush=True)
    try:
        rondo.send_outcome("late", 1, datetime.now(UTC), id="a", seconds=1)
    except RondoError as error:
        print(error.code, error, flush=True)
"""


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """Return a broker with all topics that a test may kill."""
    with Kafka(tmp_path / "kafka") as kafka:
        create_topics(KafkaConnection(kafka.bootstrap))
        yield kafka


@contextmanager
def running(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program with pipes to it. Whatever happens here, it ends."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(words, text=True, env=environment, **pipes) as program:  # type: ignore[call-overload] # noqa: S603
        try:
            yield program
        finally:
            program.kill()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_an_outage_is_reported_once_and_everything_ends(own_kafka: Kafka) -> None:
    names = {f"RONDO_{name}_URL": CLOSED_PORT for name in ("REGISTRY", "INGESTION", "SERVING")}
    connection = {"RONDO_KAFKA": own_kafka.bootstrap, "RONDO_TOKEN": "x", **names}
    watch = (str(Path(sys.executable).parent / "rondo"), "watch", "predictions.requested", "--since", "beginning")
    with (
        running(sys.executable, "-c", PROGRAM, own_kafka.bootstrap) as program,
        running(*watch, **connection) as watching,
    ):
        assert program.stdout and watching.stdout and watching.stderr  # noqa: PT018 - they are pipes
        assert "acknowledged" in program.stdout.readline()
        assert "request a" in watching.stdout.readline()
        own_kafka.kill()
        output, log = program.communicate("go on\n", timeout=60)
        of_request, of_outcome = output.splitlines()
        assert of_request.startswith("no_answer not_sent no answer to the request a within 1 s")
        assert "the request was not sent, send it again once Kafka answers" in of_request
        assert of_outcome.startswith("no_acknowledgement Kafka did not acknowledge the outcome within 1 s")
        assert (program.returncode, log) == (0, "")
        assert watching.stderr.readline().startswith("Kafka does not answer; waiting for it (")
        watching.terminate()
        assert watching.stderr.read() == ""


# aiokafka does not close a client of the stand-in whose start fails.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("outage", ["frozen", "killed"])
async def test_a_stream_waits_while_kafka_is_unavailable_and_resumes(own_kafka: Kafka, outage: str) -> None:
    """For longer than a request to Kafka may take: every request has one answer, and none is lost."""
    started, begun = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(own_kafka.bootstrap, started))
    await started.wait()
    ids = [str(number) for number in range(100)]

    async def requests() -> AsyncIterator[PredictionRequested]:
        for number in ids:
            yield request("late", {"distance": 1.0}, id=number)
            begun.set()
            await asyncio.sleep(0.05)

    async def interrupt() -> None:
        await begun.wait()
        own_kafka.pause() if outage == "frozen" else own_kafka.kill()
        await asyncio.sleep(OUTAGE_SECONDS)
        if outage == "frozen":
            own_kafka.resume()
        else:
            await own_kafka.restart()

    interruption = asyncio.create_task(interrupt())
    async with AsyncRondo(make_connection(own_kafka.bootstrap)) as rondo:
        answers = [answer async for answer in rondo.stream(requests(), 120)]
    await interruption
    serving.cancel()
    await asyncio.wait([serving])
    assert [answer for answer in answers if not isinstance(answer, Prediction)] == []
    assert sorted(answer.id for answer in answers if isinstance(answer, Prediction)) == sorted(ids)


async def serve(bootstrap: str, started: asyncio.Event) -> None:
    """Answer as serving does, also after an outage."""
    while True:
        with suppress(KafkaError):
            await answer_requests(bootstrap, started)
        while not await serves(KafkaConnection(bootstrap)):  # noqa: ASYNC110 - it is in another system
            await asyncio.sleep(0.2)
