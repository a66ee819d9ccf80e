"""Crayfish's design of an embedded model (Horchidan and others, EDBT 2024), in Kafka Streams there, by hand here.

Each record is decoded, scored by itself and written, as `mapValues` does. Offsets are committed after the answers, ten
times a second, outside of transactions, which is more often than Kafka Streams does: at least once.
Run as `python stream_crayfish.py <bootstrap> <model> <answers topic> <count>` with the interpreter of the environment
`loops`. Prints `<msg/s> <CPU us/msg>`.
"""

from __future__ import annotations

import sys
import time
from operator import itemgetter

import numpy as np
import orjson
from confluent_kafka import Consumer, Producer
from stream_loops import REQUESTS, Clock, session

_in_order = itemgetter(*(f"p{number}" for number in range(28 * 28)))
_COMMIT_SECONDS = 0.1


def main(bootstrap: str, model_path: str, answers: str, count: int) -> None:
    """Answer `count` messages."""
    model, clock = session(model_path), Clock()
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"peer-{time.time()}", "auto.offset.reset": "earliest",
         "enable.auto.commit": False}
    )  # fmt: skip
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
    consumer.subscribe([REQUESTS])
    committed = 0.0
    while clock.done < count:
        message = consumer.poll(0.2)
        if message is None:
            continue
        clock.start()
        request = orjson.loads(message.value())
        x = np.array(_in_order(request["features"]), dtype=np.float32).reshape(1, -1)
        probabilities = model.run(None, {"x": x})[0][0].tolist()
        value = orjson.dumps({"id": request["id"], "probabilities": probabilities})
        producer.produce(answers, value, key=message.key())
        producer.poll(0)
        clock.done += 1
        if time.monotonic() > committed + _COMMIT_SECONDS or clock.done == count:
            producer.flush()
            consumer.commit(asynchronous=False)
            committed = time.monotonic()
    clock.print_figures()
    consumer.close()


if __name__ == "__main__":
    bootstrap, model, answers, count = sys.argv[1:]
    main(bootstrap, model, answers, int(count))
