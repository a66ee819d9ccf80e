"""Settings of the registry from environment variables."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from rondo.chassis.settings import PostgresSettings
from rondo.contracts.access_tokens import TokenSeed, parse_seeds

# The trainer refuses a larger model.
MAX_MODEL_BYTES = 256 * 1024 * 1024


class Settings(PostgresSettings):
    """The settings are frozen, and read once, in `__main__`.

    `artifacts` is a folder or a URL such as `s3://bucket/prefix`. `max_model_bytes` limits the model of a registration.
    `tokens` are the seeded tokens without their secrets: the lines of the file that RONDO_TOKENS_FILE names (see
    `rondo.contracts.access_tokens.parse_seeds`).
    """

    service: str = "registry"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8003
    artifacts: str = Field(min_length=1)
    max_model_bytes: Annotated[int, Field(gt=0, le=MAX_MODEL_BYTES)] = MAX_MODEL_BYTES
    tokens: SecretStr = SecretStr("")

    @field_validator("tokens")
    @classmethod
    def _are_tokens(cls, value: SecretStr) -> SecretStr:
        parse_seeds(value.get_secret_value())
        return value

    @property
    def token_seeds(self) -> tuple[TokenSeed, ...]:
        return parse_seeds(self.tokens.get_secret_value())
