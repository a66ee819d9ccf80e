"""Starts the peers of `tables/rest.py` and `tables/grpc.py`, each in a separate process."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rondo.client.bento.project import write_project
from rondo.contracts.spec.model import Feature

from tests.benchmarks.load.http_load import FEATURES
from tests.benchmarks.load.serving import free_port, ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HERE = Path(__file__).resolve().parent
_STOP_SECONDS = 30


@contextmanager
def granian(python: Path, model: Path) -> Iterator[tuple[int, int]]:
    """Run the bare server with the interpreter of `environment.py`. Yield its port and process id when it answers."""
    port = free_port()
    with _running([str(python), str(HERE / "rest_granian.py"), str(model), str(port)], lambda: _listening(port)) as pid:
        yield port, pid


@contextmanager
def mlserver(python: Path, model: Path, *kafka: str) -> Iterator[tuple[int, int, int]]:
    """Run the model in MLServer. Yield its HTTP port, its gRPC port and its process id once it answers.

    `kafka` may name a broker, a topic of requests and one of answers.
    """
    port, grpc_port = free_port(), free_port()
    command = [str(python), str(HERE / "inference_mlserver.py"), str(model), str(port), str(grpc_port), *kafka]
    with _running(command, lambda: ready(port, "/v2/models/bench/ready")) as pid:
        yield port, grpc_port, pid


@contextmanager
def kserve(python: Path, model: Path) -> Iterator[tuple[int, int]]:
    """Run the model in KServe's server. Yield its port and process id once it answers."""
    port = free_port()
    command = [str(python), str(HERE / "inference_kserve.py"), str(model), str(port)]
    with _running(command, lambda: ready(port, "/v2/models/bench/ready")) as pid:
        yield port, pid


@contextmanager
def bentoml(model: Path, home: Path) -> Iterator[tuple[int, int]]:
    """Run the API without Rondo's export. Yield its port and process id when it answers.

    BentoML keeps its files in `home`.
    """
    with _bentoml_serve("inference_bentoml:Scores", home, {"RONDO_BENCH_MODEL": str(model)}) as running:
        yield running


@contextmanager
def exported_bento(model: Path, folder: Path) -> Iterator[tuple[int, int]]:
    """Run the model as `rondo export` writes it into `folder`, once. Yield its port and process id once it answers."""
    if not folder.exists():
        export(model.read_bytes(), folder)
    with _bentoml_serve(str(folder), folder.parent / "bentoml") as running:
        yield running


@contextmanager
def _bentoml_serve(service: str, home: Path, environment: Mapping[str, str] | None = None) -> Iterator[tuple[int, int]]:
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "bentoml", "serve", service, "--host", "127.0.0.1"]
    added = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"} | dict(environment or {})
    # The parent process listens long before a worker answers.
    with _running([*command, "--port", str(port)], lambda: ready(port), added) as pid:
        yield port, pid


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process during the body."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def export(content: bytes, folder: Path) -> None:
    """Write the Bento of a model with float features, which no spec bounds."""
    features = {f"f{n}": Feature(type="float").model_dump(mode="json", by_alias=True) for n in range(FEATURES)}
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    version = {"model": "bench", "model_version": 1, "digest": digest, "features": features}
    write_project(version, {"serving": {"ignore_unknown_fields": False}}, content, folder)


@contextmanager
def _running(
    command: Sequence[str], answers: Callable[[], bool], environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a command. Yield its process id once it answers."""
    log = subprocess.DEVNULL
    process = subprocess.Popen(  # noqa: S603
        command, cwd=HERE, env=os.environ | (environment or {}), stdout=log, stderr=log
    )
    try:
        while not answers():
            if process.poll() is not None:
                sys.exit(f"the peer has ended: {' '.join(command)}")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


def _listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
