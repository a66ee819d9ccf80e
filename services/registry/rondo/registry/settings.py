"""Settings of the registry from environment variables."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rondo.chassis.settings import PostgresSettings


class Settings(PostgresSettings):
    """Frozen; read once, in `__main__`. `artifacts` is a folder or a URL such as `s3://bucket/prefix`."""

    service: str = "registry"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8003
    artifacts: str = Field(min_length=1)
