"""Settings of the serving service, from environment variables."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rondo.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings of serving. `grpc_port` is the port of the gRPC API. Without it there is no gRPC API.

    `artifacts` is the artifact store: a folder or a URL. `inference_threads` is the number of threads per inference.

    `bulk_threads` is the number of threads for the inference of a slice of a bulk request. With 0 this replica accepts
    no bulk requests.

    `deduplicated_answers` is the number of answers that are kept for each partition, for models with
    `serving.deduplicate`.

    `queue_after` is the number of seconds of a micro-batch that a model may take. Further requests to the model get
    their own queue. With 0 there are no queues, and a micro-batch waits for its slowest model.

    `linger` is the minimum time between two micro-batches in seconds. A busy stream waits at most this long to fill
    one.
    """

    service: str = "serving"
    grpc_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    artifacts: str = Field(min_length=1)
    max_batch: Annotated[int, Field(ge=1, le=50_000)] = 4_000
    deduplicated_answers: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000
    queue_after: Annotated[float, Field(ge=0, le=3600)] = 0.25
    linger: Annotated[float, Field(ge=0, le=5)] = 0.02
    bulk_threads: Annotated[int, Field(ge=0, le=64)] = 1
    inference_threads: Annotated[int, Field(ge=1, le=64)] = 1
