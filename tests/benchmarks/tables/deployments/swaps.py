"""`make bench ONLY=swaps`: the latency of the stream while versions come and go, beside the same without a change.

Requests arrive at a steady rate, whatever the answers (open loop). Meanwhile 100 versions take over at once, one after
another, and then 20 canaries: two shares, the promotion with the version before scoring along, the end. Each version
is loaded, warmed up and unloaded. A read_committed reader of its own counts the answers.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import onnx
import orjson
from confluent_kafka import Producer
from onnx import helper
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import DeploymentChanged, Route
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.spec.model import Feature
from rondo.contracts.vocabularies import EvidenceScope, RouteRole

from tests.benchmarks.load.open_loop import send_evenly
from tests.benchmarks.load.serving import committed, ends, serving
from tests.benchmarks.peers.serving.stream_loops import FEATURES
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.tables.stream import MADE, deploy, platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.benchmarks.load.serving import Setting

RATE, SECONDS = 500, 50
SWAPS, CANARIES = 100, 20
GOAL = 1.5
_SHARES = (0.05, 0.25)


@dataclass(frozen=True)
class Figures:
    """The 99th percentile of an answer's time in ms, and the requests without an answer and with several."""

    tail: float
    lost: int
    doubled: int


class Deployments:
    """Publishes deployments of the model as the registry would. The versions alternate between two artifacts."""

    def __init__(self, setting: Setting, digests: Sequence[str]) -> None:
        self._producer = Producer(KafkaConnection(setting.bootstrap).confluent())
        self._digests, self._revision, self._version = digests, 1, 1
        self._features = {name: Feature(type="float") for name in FEATURES}

    def _route(self, version: int, share: float = 1.0, role: str = RouteRole.PRIMARY) -> Route:
        digest = self._digests[version % 2]
        return Route(model_version=version, digest=digest, share=share, role=role, features=self._features)

    def _publish(self, *routes: Route) -> None:
        self._revision += 1
        evidence = EvidenceScope.ALL.value if len(routes) > 1 else None
        event = DeploymentChanged(model="bench", revision=self._revision, routes=routes, evidence=evidence)
        envelope = Envelope(f"bench-{self._revision}", "rondo/bench", datetime.now(UTC), event)
        self._producer.produce(event.topic, envelope.value(), event.key, headers=list(envelope.headers().items()))
        self._producer.flush()

    def swap(self) -> Iterator[None]:
        """Promote the next version at once. Yield after each deployment."""
        self._version += 1
        self._publish(self._route(self._version))
        yield

    def canary(self) -> Iterator[None]:
        """Roll out the next version. Yield after each deployment."""
        before, self._version = self._version, self._version + 1
        for share in _SHARES:
            canary = self._route(self._version, share, RouteRole.CANARY)
            self._publish(canary, self._route(before, 1 - share))
            yield
        self._publish(self._route(self._version), self._route(before, 0.0, RouteRole.SHADOW))
        yield
        self._publish(self._route(self._version))
        yield


@contextmanager
def _publishing(steps: Iterator[None], apart: float) -> Iterator[None]:
    """Take a step every `apart` seconds while the body runs, in a separate thread."""
    over = threading.Event()

    def publish() -> None:
        while not over.wait(apart) and next(steps, over) is not over:
            pass

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def measure(setting: Setting, steps: Iterator[None], count: int) -> Figures:
    """Return the figures of a run with these steps."""
    requests = RATE * SECONDS
    with serving(setting), ThreadPoolExecutor(1) as thread:
        start = ends(setting, MADE)
        reading = thread.submit(lambda: list(committed(setting, start, requests, SECONDS + 20)))
        with _publishing(steps, SECONDS / (count + 1)):
            sent = send_evenly(setting, RATE, requests)
        seen = [(orjson.loads(value)["id"], at) for value, at in reading.result()]
    often = Counter(each for each, _ in seen)
    took = [at - sent[each] for each, at in seen]
    doubled = sum(number > 1 for number in often.values())
    return Figures(float(np.percentile(took, 99) * 1e3), len(sent.keys() - often.keys()), doubled)


async def _other_artifact(setting: Setting) -> tuple[str, str]:
    """Store the model again with another name in its metadata. Return the digests of both."""
    content = (setting.folder / "served.onnx").read_bytes()
    model = onnx.load_from_string(content)
    helper.set_model_props(model, {each.key: each.value for each in model.metadata_props} | {"copy": "2"})
    artifacts = Artifacts(str(setting.folder / "artifacts"))
    return await artifacts.put(model.SerializeToString()), await artifacts.put(content)


def table(usual: Figures, swaps: Figures, canaries: Figures) -> list[Row]:
    """Return the rows of a run."""
    used, rows = versions("confluent-kafka", "onnxruntime"), []
    for name, found in ((f"{SWAPS} swaps", swaps), (f"{CANARIES} canaries", canaries)):
        ratio = found.tail / usual.tail
        title = f"{name} at {RATE} requests/s, 99th percentile, against none"
        rows.append(Row("swaps", title, found.tail, usual.tail, "ms", f"at most {GOAL:g}",
                        met=ratio <= GOAL, versions=used, ratio=ratio))  # fmt: skip
        for what, number in (("lost", found.lost), ("answered twice", found.doubled)):
            rows.append(Row("swaps", f"{name}: {what}", number, None, "", "0", met=not number, versions=used))
    return rows


def main() -> int:
    """Measure and record."""
    with platform() as (setting, _):
        deploy(setting)
        made = Deployments(setting, asyncio.run(_other_artifact(setting)))
        before = measure(setting, iter(()), 1)
        swaps = measure(setting, (step for _ in range(SWAPS) for step in made.swap()), SWAPS)
        canaries = measure(setting, (step for _ in range(CANARIES) for step in made.canary()), 4 * CANARIES)
        # The first run has a cold broker, so the better of two runs is the reference.
        usual = min(before, measure(setting, iter(()), 1), key=lambda found: found.tail)
    return record(table(usual, swaps, canaries))


if __name__ == "__main__":
    sys.exit(main())
