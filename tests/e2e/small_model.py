"""A small system for outages: a few hundred rides, a model of two features, and a modest stream."""

from __future__ import annotations

import asyncio
import io
import random
import threading
from collections import Counter
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
from confluent_kafka import Producer
from deltalake import DeltaTable
from rondo.client import RondoError
from rondo.contracts.kafka_connection import KafkaConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rondo.client import AsyncRondo
    from rondo.embedded.stack import Stack

MODEL, DATASET = "tips", "rides"
PARQUET = "application/vnd.apache.parquet"
START = datetime(2013, 1, 1, tzinfo=UTC)
SPEC = """
model: tips
data: {dataset: rides, entity: ride, event_time: started, label: tipped, label_delay: 1h}
features:
  zone: {type: category}
  distance: {type: float}
trainer: {kind: lightgbm, params: {n_estimators: 10, num_leaves: 4}, min_rows: 500}
retrain: {on: [drift]}
"""


def rides(count: int, start: int = 0) -> bytes:
    """Return a Parquet file of rides, one per minute. The longer the ride, the more likely the tip."""
    draw = random.Random(start)
    rows = [
        (f"r{n}", START + timedelta(minutes=n), draw.choice("ab"), draw.uniform(0, 10))
        for n in range(start, start + count)
    ]
    frame = pl.DataFrame(
        rows,
        schema={"ride": pl.String, "started": pl.Datetime("us", "UTC"), "zone": pl.String, "distance": pl.Float64},
        orient="row",
    )
    frame = frame.with_columns(tipped=pl.Series([int(row[3] + draw.gauss(0, 2) > 5) for row in rows]))
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


class Traffic:
    """Sends requests and their outcomes at a steady pace, in a separate thread, until `stop`."""

    def __init__(self, bootstrap: str, per_second: int = 100) -> None:
        self.sent = 0
        self.delivered = 0
        self.errors: list[str] = []
        self._pause = 10 / per_second
        self._stop = threading.Event()
        self._producer = Producer(
            {
                **KafkaConnection(bootstrap).confluent(),
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "log_level": 0,
            }
        )

    def run(self) -> None:
        """Send ten of each at a time. Return when Kafka has all of them."""
        while not self._stop.wait(self._pause):
            for _ in range(10):
                self._send_one()
            self._producer.poll(0)
        self._producer.flush(60)

    def stop(self) -> None:
        """Stop after the messages that were started."""
        self._stop.set()

    def _send_one(self) -> None:
        number, self.sent = self.sent, self.sent + 1
        at = f"{START + timedelta(days=30, seconds=number):%Y-%m-%dT%H:%M:%SZ}"
        ids = {"id": f"q{number}", "model": MODEL}
        request = {**ids, "entity": f"e{number}", "event_time": at, "features": {"zone": "a", "distance": number % 10}}
        outcome = {**ids, "outcome": number % 2, "event_time": at}
        for topic, value in (("predictions.requested", request), ("outcomes.observed", outcome)):
            self._producer.produce(topic, orjson.dumps(value), f"e{number}", on_delivery=self._delivered)

    def _delivered(self, error: object, _: object) -> None:
        # Not raised here, because this thread continues after a test that fails while Kafka is down.
        if error is None:
            self.delivered += 1
        else:
            self.errors.append(str(error))


@asynccontextmanager
async def traffic(bootstrap: str) -> AsyncIterator[Traffic]:
    """Send traffic while the body runs. Afterwards Kafka has everything that was sent."""
    flow = Traffic(bootstrap)
    # A daemon, and no `finally`: when the test fails while Kafka is down, the rest would never be delivered.
    running = threading.Thread(target=flow.run, daemon=True)
    running.start()
    yield flow
    flow.stop()
    await asyncio.to_thread(running.join)
    assert (flow.errors, flow.delivered) == ([], 2 * flow.sent)


async def first_model(rondo: AsyncRondo) -> None:
    """Apply the spec, publish a batch, and wait until its model serves."""
    await rondo.apply(SPEC)
    await rondo.publish(DATASET, "first", rides(1_000), PARQUET)
    await until_served(rondo)


async def until_served(rondo: AsyncRondo, model: str = MODEL) -> None:
    """Wait until a model answers over HTTP."""
    async with asyncio.timeout(150):
        while True:
            with suppress(RondoError):
                await rondo.inputs(model)
                return
            await asyncio.sleep(0.2)


def stored_ids(stack: Stack, kind: str) -> Counter[str]:
    """Return the count of each id in the Delta table of predictions or outcomes, which the first rows create."""
    path = f"{stack.addresses.data}/feedback/{MODEL}/{kind}"
    if not DeltaTable.is_deltatable(path):
        return Counter()
    table = DeltaTable(path)
    return Counter(table.to_pyarrow_table(columns=["id"])["id"].to_pylist())


def lines(log: Path) -> list[dict[str, Any]]:
    """Return the log of a service. A line that is not a JSON object is an error."""
    return [orjson.loads(line) for line in log.read_text().splitlines()]
