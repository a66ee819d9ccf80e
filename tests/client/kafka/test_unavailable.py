"""Kafka dies while a program and a terminal use it: each is told once what is away, and both can end."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rondo.chassis.events.broker import create_topics
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded.kafka.broker import Kafka

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = "http://127.0.0.1:1"
# It configures no logging, as a first try of the client would not.
PROGRAM = """
import sys
from datetime import UTC, datetime
from rondo.client import Connection, Rondo, RondoError

nobody = dict.fromkeys(("registry", "ingestion", "serving"), "http://127.0.0.1:1")
with Rondo(Connection(kafka=sys.argv[1], token="x", **nobody)) as rondo:
    def asked(seconds):
        try:
            rondo.predict("late", {}, id="a", seconds=seconds)
        except RondoError as error:
            print(error, flush=True)

    asked(5)
    input()
    asked(2)
    try:
        rondo.send_outcome("late", 1, datetime.now(UTC), id="a", seconds=2)
    except RondoError as error:
        print(error, flush=True)
"""


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """Return a broker with all topics that a test may kill."""
    with Kafka(tmp_path / "kafka") as kafka:
        create_topics(KafkaConnection(kafka.bootstrap))
        yield kafka


@contextmanager
def running(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program with pipes to it; whatever happens here, it ends."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(words, text=True, env=environment, **pipes) as program:  # type: ignore[call-overload] # noqa: S603
        try:
            yield program
        finally:
            program.kill()


@pytest.mark.timeout(120)
def test_what_is_away_is_told_once_and_everything_ends(own_kafka: Kafka) -> None:
    names = {f"RONDO_{name}_URL": NOBODY for name in ("REGISTRY", "INGESTION", "SERVING")}
    connection = {"RONDO_KAFKA": own_kafka.bootstrap, "RONDO_API_TOKEN": "x", **names}
    watch = (str(Path(sys.executable).parent / "rondo"), "watch", "predictions.requested", "--since", "beginning")
    with (
        running(sys.executable, "-c", PROGRAM, own_kafka.bootstrap) as program,
        running(*watch, **connection) as watching,
    ):
        assert program.stdout and watching.stdout and watching.stderr  # noqa: PT018 - they are pipes
        assert "the request is kept and will be answered" in program.stdout.readline()
        assert "request a" in watching.stdout.readline()
        own_kafka.kill()
        told, log = program.communicate("go on\n", timeout=60)
        of_request, of_outcome = told.splitlines()
        assert of_request.startswith("no answer to the request a within 2 s")
        assert of_request.endswith(
            "Kafka did not say that it has the request, which may be lost: ask again once Kafka answers"
        )
        why = "it did not say within 2 s that it has the outcome, which may be lost"
        assert of_outcome.startswith(f"Kafka can't be reached at {own_kafka.bootstrap} ({why}): is it running?")
        assert (program.returncode, log) == (0, "")
        assert watching.stderr.readline().startswith("Kafka does not answer, and is waited for (")
        watching.terminate()
        assert watching.stderr.read() == ""
