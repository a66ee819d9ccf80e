"""Settings of the serving service, from environment variables."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rondo.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """`grpc_port` is where the gRPC API listens, beside the HTTP API. None for nowhere.

    `artifacts` is the artifact store: a folder or a URL. `inference_threads` is the number of threads per inference.

    `bulk_threads` is the same for a slice of a bulk request; with 0 this replica takes none.

    `deduplicated_answers` is how many answers are kept of each partition for models with `serving.deduplicate`.

    `queue_after` is how many seconds of a micro-batch a model may take. Its further requests get a queue of their own.
    With 0 there are no queues: a micro-batch waits for its slowest model.

    `linger` is the minimum time in seconds between two micro-batches: the longest that a busy stream waits to fill one.
    """

    service: str = "serving"
    grpc_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    artifacts: str = Field(min_length=1)
    max_batch: Annotated[int, Field(ge=1, le=50_000)] = 4_000
    deduplicated_answers: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000
    queue_after: Annotated[float, Field(ge=0, le=3600)] = 0
    linger: Annotated[float, Field(ge=0, le=5)] = 0.02
    bulk_threads: Annotated[int, Field(ge=0, le=64)] = 1
    inference_threads: Annotated[int, Field(ge=1, le=64)] = 1
