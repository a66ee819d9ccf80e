"""What every service is told by its environment. Each service extends `ServiceSettings` in its own settings.py.

A value may come as a file: `RONDO_POSTGRES_PASSWORD_FILE=/run/secrets/password` instead of `RONDO_POSTGRES_PASSWORD`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from rondo.contracts.kafka_connection import KafkaConnection

PREFIX = "RONDO_"
S = TypeVar("S", bound="ServiceSettings")


def _connection(value: object) -> object:
    return KafkaConnection(value) if isinstance(value, str) else value


class ServiceSettings(BaseModel):
    """Frozen; read once, in `__main__`. Durations are seconds unless their name says otherwise."""

    model_config = ConfigDict(frozen=True)

    service: str
    kafka: Annotated[KafkaConnection, BeforeValidator(_connection)]
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)]
    replica: str = Field(default="0", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    log_level: str = "INFO"
    otlp_endpoint: str | None = None

    @property
    def instance(self) -> str:
        """The stable name of this replica: its static group membership, so that a restart takes over at once."""
        return f"{self.service}-{self.replica}"


class PostgresSettings(ServiceSettings):
    """For the services that keep state. The password may come apart, as `RONDO_POSTGRES_PASSWORD_FILE`."""

    postgres: SecretStr
    postgres_password: SecretStr | None = None


class SettingsError(ValueError):
    """The environment does not say what the service needs; the message names each variable."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the settings can't be used:\n" + "\n".join(f"  {problem}" for problem in problems))


def load(settings: type[S], environ: dict[str, str] | None = None) -> S:
    """Read the settings of a service.

    Raises:
        SettingsError: a variable is missing or wrong.

    """
    environ = dict(os.environ) if environ is None else environ
    try:
        return settings.model_validate(_values(settings, environ))
    except ValidationError as error:
        raise SettingsError([_problem(str(fault["loc"][0]), fault["msg"]) for fault in error.errors()]) from None


def load_or_exit(settings: type[S]) -> S:
    """Read the settings, or say what is wrong with them and exit with 2, as a command does for wrong usage."""
    try:
        return load(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def _values(settings: type[ServiceSettings], environ: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in settings.model_fields:
        variable = PREFIX + name.upper()
        if file := environ.get(f"{variable}_FILE"):
            try:
                found[name] = Path(file).read_text().strip()
            except OSError as error:
                raise SettingsError([f"{variable}_FILE names {file}, which can't be read: {error.strerror}"]) from None
        elif variable in environ:
            found[name] = environ[variable]
    return found


def _problem(name: str, message: str) -> str:
    variable = PREFIX + name.upper()
    if message == "Field required":
        return f"{variable} is not set; `rondo up` and docker-compose.yml set it, docs/settings.md says what it is"
    return f"{variable}: {message}"
