"""The prediction stream in Quix Streams, as its documentation has it, exactly once: a function scores each message.

A transaction holds the answers and the offsets of a checkpoint, every 5 s, which is the default.
Run as `python stream_quix.py <bootstrap> <model> <answers topic> <count>` with the interpreter of the environment
`quix`. Prints `<msg/s> <CPU us/msg>`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any

from quixstreams import Application
from stream_loops import REQUESTS, Clock, scores, session


def main(bootstrap: str, model_path: str, answers: str, count: str) -> None:
    """Run it until it has answered `count` messages."""
    model, clock, run = session(model_path), Clock(), f"peer-{time.time()}"
    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            bootstrap, consumer_group=run, auto_offset_reset="earliest", processing_guarantee="exactly-once",
            state_dir=folder, loglevel=None, auto_create_topics=False,
        )  # fmt: skip

        def score(row: dict[str, Any]) -> dict[str, Any]:
            clock.start()
            clock.done += 1
            return {"id": row["id"], "score": scores(model, [row])[0]}

        requests = app.topic(REQUESTS, value_deserializer="json")
        app.dataframe(requests).apply(score).to_topic(app.topic(answers, value_serializer="json"))
        # It ends once the last checkpoint is committed.
        app.run(count=int(count), timeout=30)
    clock.print_figures()


if __name__ == "__main__":
    main(*sys.argv[1:])
