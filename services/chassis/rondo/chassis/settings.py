"""Settings from environment variables RONDO_*. Each service extends `ServiceSettings` in its settings.py.

A value can be read from a file instead: RONDO_POSTGRES_PASSWORD_FILE=/run/secrets/password.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from rondo.contracts.environment import FILE, PREFIX, unknown_variables
from rondo.contracts.kafka_connection import KafkaConnection

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

S = TypeVar("S", bound="ServiceSettings")


class SettingsError(ValueError):
    """The environment is incomplete or invalid. The message names each variable."""

    code = "invalid_settings"

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("the settings can't be used:\n" + "\n".join(f"  {problem}" for problem in problems))


def _connection(value: object) -> object:
    return KafkaConnection(value) if isinstance(value, str) else value


class ServiceSettings(BaseSettings):
    """Common settings, frozen, and read once in `__main__`. A duration without a unit in its name is in seconds."""

    model_config = SettingsConfigDict(frozen=True, env_prefix=PREFIX, extra="ignore")

    service: str
    kafka: Annotated[KafkaConnection, NoDecode, BeforeValidator(_connection)]
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)]
    replica: str = Field(default="0", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    log_level: str = "INFO"
    otlp_endpoint: str | None = None

    @property
    def instance(self) -> str:
        """The stable name of this replica: its static group membership, so that a restart takes over at once."""
        return f"{self.service}-{self.replica}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings' own signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read RONDO_X_FILE before RONDO_X, and no .env file."""
        return init_settings, _FileSource(settings_cls), env_settings


class PostgresSettings(ServiceSettings):
    """The settings of services with state. The password can be separate, as RONDO_POSTGRES_PASSWORD_FILE."""

    postgres: SecretStr
    postgres_password: SecretStr | None = None


class _FileSource(PydanticBaseSettingsSource):
    """A source of settings: the content of the files that RONDO_X_FILE names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        variable = f"{PREFIX}{field_name.upper()}{FILE}"
        file = os.environ.get(variable)
        if not file:
            return None, field_name, False
        try:
            return Path(file).read_text().strip(), field_name, False
        except OSError as error:
            raise SettingsError([f"{variable} names {file}, which can't be read: {error.strerror}"]) from None

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def load(settings: type[S]) -> S:
    """Read the settings of a service.

    Raises:
        SettingsError: a variable is missing or invalid, or a variable RONDO_* is no setting of any part of Rondo.

    """
    own = {f"{PREFIX}{name.upper()}" for name in settings.model_fields}
    unknown = list(unknown_variables(os.environ, own))
    try:
        found = settings()  # type: ignore[call-arg]  # the environment has them
    except ValidationError as error:
        problems = [_problem(str(fault["loc"][0]), fault["msg"]) for fault in error.errors()]
        raise SettingsError(problems + unknown) from None
    if unknown:
        raise SettingsError(unknown)
    return found


def load_or_exit(settings: type[S]) -> S:
    """Read the settings, or print their errors and exit with 2."""
    try:
        return load(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def _problem(name: str, message: str) -> str:
    variable = PREFIX + name.upper()
    if message == "Field required":
        return f"{variable} is not set; `rondo up` and docker-compose.yml set it, docs/settings.md describes it"
    return f"{variable}: {message}"
