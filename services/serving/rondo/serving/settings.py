"""What the serving service is told by its environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rondo.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """`linger` is the least time in seconds between two micro-batches: the most that a busy stream waits to fill one.

    `artifacts` is the artifact store: a folder or a URL. `inference_threads` are those of one inference.
    """

    service: str = "serving"
    artifacts: str = Field(min_length=1)
    max_batch: Annotated[int, Field(ge=1, le=50_000)] = 4_000
    linger: Annotated[float, Field(ge=0, le=5)] = 0.02
    inference_threads: Annotated[int, Field(ge=1, le=64)] = 1
