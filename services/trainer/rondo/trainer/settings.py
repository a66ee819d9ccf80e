"""What the trainer is told by its environment; the service and its worker process read the same."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import Field

from rondo.chassis.settings import PostgresSettings


class Settings(PostgresSettings):
    """RONDO_DATA is the root of the Delta tables, RONDO_ARTIFACTS the artifact store: each a folder or a URL.

    `worker_threads` bounds the threads of a training, `worker_lease` is how many seconds a worker may be silent
    before its run is given to another, `worker_attempts` how often a run may be begun before it counts as failed.
    """

    service: str = "trainer"
    data: str = Field(min_length=1)
    artifacts: str = Field(min_length=1)
    worker_threads: Annotated[int, Field(ge=1)] = os.cpu_count() or 1
    worker_lease: Annotated[float, Field(gt=0)] = 15.0
    worker_attempts: Annotated[int, Field(ge=1)] = 3
    worker_niceness: Annotated[int, Field(ge=0, le=19)] = 10
