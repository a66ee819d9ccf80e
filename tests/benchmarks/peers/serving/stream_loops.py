"""The prediction stream written by hand, as the limit to be measured against: no checks, no log, no metrics, no traces.

The same JSON requests are read from the same topic and scored by the same trees on one thread. What is written is
`{"id", "score"}`, in transactions that hold the offsets. One loop on aiokafka, one on confluent-kafka. An echo writes
each request as its answer, until it is stopped: what Kafka's transactions take of the time of an answer. It is run with
the interpreter of `environment.py`: nothing of Rondo is there.
Run as `python stream_loops.py <loop> <bootstrap> <model> <answers topic> <count>`. Prints `<msg/s> <CPU us/msg>`, and
the echo an empty line once it reads.
"""

from __future__ import annotations

import asyncio
import sys
import time
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import orjson

REQUESTS = "predictions.requested"
FEATURES = [f"f{number}" for number in range(20)]
BATCH = 4_000
_in_order = itemgetter(*FEATURES)


class Clock:
    """Counts from the first message on."""

    def __init__(self) -> None:
        self.done, self.started, self.cpu = 0, 0.0, 0.0

    def start(self) -> None:
        """Begin, if this is the first message."""
        if not self.started:
            self.started, self.cpu = time.perf_counter(), time.process_time()

    def print_figures(self) -> None:
        took, cpu = time.perf_counter() - self.started, time.process_time() - self.cpu
        sys.stdout.write(f"{self.done / took:.1f} {cpu / self.done * 1e6:.2f}\n")


def session(model: str) -> onnxruntime.InferenceSession:
    """Load the model whose one input `x` has shape [N, 20]."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(Path(model).read_bytes(), options, providers=["CPUExecutionProvider"])


def scores(model: onnxruntime.InferenceSession, rows: list[dict[str, Any]]) -> list[float]:
    """Score requests."""
    x = np.array([_in_order(row["features"]) for row in rows], dtype=np.float32)
    return model.run(None, {"x": x})[1][:, 1].tolist()


async def with_aiokafka(bootstrap: str, model_path: str, answers: str, count: int) -> None:
    """Run the loop on aiokafka, with whole batches."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer  # noqa: PLC0415 - one loop per process

    model, run, clock = session(model_path), f"peer-{time.time()}", Clock()
    consumer = AIOKafkaConsumer(
        REQUESTS, bootstrap_servers=bootstrap, group_id=run, auto_offset_reset="earliest",
        enable_auto_commit=False, max_partition_fetch_bytes=4 << 20,
    )  # fmt: skip
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=run, max_batch_size=4 << 20, max_request_size=8 << 20
    )
    await consumer.start()
    await producer.start()
    while clock.done < count:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=2 * BATCH)
        if not fetched:
            continue
        clock.start()
        async with producer.transaction():
            for partition, messages in fetched.items():
                rows = [orjson.loads(m.value) for m in messages]
                batch = producer.create_batch()
                for row, message, score in zip(rows, messages, scores(model, rows), strict=True):
                    value = orjson.dumps({"id": row["id"], "score": score})
                    if batch.append(key=message.key, value=value, timestamp=message.timestamp) is None:
                        await producer.send_batch(batch, answers, partition=partition.partition)
                        batch = producer.create_batch()
                        batch.append(key=message.key, value=value, timestamp=message.timestamp)
                await producer.send_batch(batch, answers, partition=partition.partition)
                clock.done += len(messages)
            await producer.send_offsets_to_transaction({p: ms[-1].offset + 1 for p, ms in fetched.items()}, run)
    clock.print_figures()
    await consumer.stop()
    await producer.stop()


def with_confluent(bootstrap: str, model_path: str, answers: str, count: int) -> None:
    """Run the loop on confluent-kafka."""
    from confluent_kafka import Consumer, Producer  # noqa: PLC0415 - one loop per process

    model, run, clock = session(model_path), f"peer-{time.time()}", Clock()
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": run, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    producer = Producer(
        {"bootstrap.servers": bootstrap, "transactional.id": run, "linger.ms": 5,
         "queue.buffering.max.messages": 1_000_000}
    )  # fmt: skip
    producer.init_transactions()
    consumer.subscribe([REQUESTS])
    while clock.done < count:
        messages = consumer.consume(BATCH, 0.2)
        if not messages:
            continue
        clock.start()
        producer.begin_transaction()
        rows = [orjson.loads(m.value()) for m in messages]
        for row, message, score in zip(rows, messages, scores(model, rows), strict=True):
            producer.produce(answers, orjson.dumps({"id": row["id"], "score": score}), key=message.key())
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
        )
        producer.commit_transaction()
        clock.done += len(messages)
    clock.print_figures()
    consumer.close()


def echo(bootstrap: str, answers: str) -> None:
    """Write requests as answers as soon as they arrive, in transactions, with confluent-kafka."""
    from confluent_kafka import Consumer, Producer  # noqa: PLC0415 - one loop per process

    run = f"peer-{time.time()}"
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": run, "auto.offset.reset": "latest", "enable.auto.commit": False,
         "fetch.wait.max.ms": 5}
    )  # fmt: skip
    # As in serving, a transaction that begins while the last one's markers are written is refused, and retried after
    # 100 ms.
    producer = Producer(
        {"bootstrap.servers": bootstrap, "transactional.id": run, "linger.ms": 0, "retry.backoff.ms": 10,
         "retry.backoff.max.ms": 200}
    )  # fmt: skip
    producer.init_transactions()

    def from_the_end(_: Any, partitions: list[Any]) -> None:
        # By number, because `latest` is the end at the first fetch, before which requests may have arrived.
        for each in partitions:
            each.offset = consumer.get_watermark_offsets(each)[1]
        consumer.assign(partitions)

    consumer.subscribe([REQUESTS], on_assign=from_the_end)
    while not consumer.assignment():
        consumer.poll(0.1)
    sys.stdout.write("\n")
    sys.stdout.flush()
    while True:
        first = consumer.poll(0.1)
        if first is None or first.error():
            continue
        producer.begin_transaction()
        for message in (first, *consumer.consume(BATCH, 0)):
            producer.produce(answers, message.value(), key=message.key())
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
        )
        producer.commit_transaction()


if __name__ == "__main__":
    loop, bootstrap, model, answers, count = sys.argv[1:]
    if loop == "aiokafka":
        asyncio.run(with_aiokafka(bootstrap, model, answers, int(count)))
    elif loop == "echo":
        echo(bootstrap, answers)
    else:
        with_confluent(bootstrap, model, answers, int(count))
