"""The prediction stream in FastStream, as its documentation has it: a batch comes in, and a batch goes out.

FastStream has no transactions. It commits the offsets after the answers (`NACK_ON_ERROR`): after a crash an answer may
come twice, and none is lost.
Run as `python stream_faststream.py <bootstrap> <model> <answers topic> <count>` with the interpreter of the environment
`faststream`. Prints `<msg/s> <CPU us/msg>`.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from stream_loops import BATCH, REQUESTS, Clock, scores, session


def application(bootstrap: str, model_path: str, answers: str, count: int, clock: Clock) -> FastStream:
    """Return the application, which ends after `count` messages."""
    # The default holds about 200 answers, and a batch that has no room fails as a whole.
    broker = KafkaBroker(bootstrap, logger=None, max_batch_size=4 << 20, max_request_size=8 << 20)
    app, model = FastStream(broker, logger=None), session(model_path)

    @broker.subscriber(
        REQUESTS, group_id=f"peer-{time.time()}", auto_offset_reset="earliest", batch=True, max_records=BATCH,
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )  # fmt: skip
    @broker.publisher(answers, batch=True)
    async def score(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
        clock.start()
        found = scores(model, rows)
        clock.done += len(rows)
        if clock.done >= count:
            app.exit()
        return tuple({"id": row["id"], "score": each} for row, each in zip(rows, found, strict=True))

    return app


def main(bootstrap: str, model: str, answers: str, count: str) -> None:
    """Run it."""
    clock = Clock()
    # It ends once the last batch is published and its offsets are committed.
    uvloop.run(application(bootstrap, model, answers, int(count), clock).run())
    clock.print_figures()


if __name__ == "__main__":
    main(*sys.argv[1:])
