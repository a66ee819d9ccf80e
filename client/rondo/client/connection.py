"""The addresses of a running Rondo and an access token, from the environment or from the stack that runs here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

from rondo.client.errors import NoConnectionError
from rondo.contracts.kafka_connection import InvalidAddressError, KafkaConnection

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICES = ("ingestion", "trainer", "registry", "serving", "monitor")
_REQUIRED = ("ingestion", "registry", "serving")


def _kafka(value: object) -> object:
    return KafkaConnection(value) if isinstance(value, str) else value


class Connection(BaseModel):
    """The addresses of the services and of Kafka, and a token.

    The trainer and the monitor are optional. The client reads the readiness of both, and the verdicts of the monitor.

    `kafka` may be given as the addresses of the brokers, each `host:port`, separated by commas.
    """

    model_config = ConfigDict(frozen=True)

    kafka: Annotated[KafkaConnection, BeforeValidator(_kafka)]
    registry: str
    ingestion: str
    serving: str
    trainer: str | None = None
    monitor: str | None = None
    token: SecretStr

    @classmethod
    def discover(cls, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Self:
        """Return the connection of the RONDO_*_URL variables if any is set, else of the stack in RONDO_HOME (`.rondo`).

        RONDO_TOKEN or RONDO_TOKEN_FILE chooses the token. By default the stack's admin token is used. Without arguments
        the method uses this process's environment and current directory.

        Raises:
            NoConnectionError: no stack runs there, or a variable or file is missing.

        """
        environ, cwd = os.environ if environ is None else environ, cwd or Path.cwd()
        token = _token(environ)
        if any(environ.get(_variable(service)) for service in SERVICES):
            return cls._from_environment(environ, token)
        return cls.of_stack(cwd / (environ.get("RONDO_HOME") or ".rondo"), token)

    @classmethod
    def of_stack(cls, home: Path, token: str | None = None) -> Self:
        """Read the `stack.json` of the embedded stack that runs in `home`. `token` replaces its admin token.

        Raises:
            NoConnectionError: no stack runs there.

        """
        file = home / "stack.json"
        try:
            stack: dict[str, Any] = json.loads(file.read_text("utf-8"))
            urls: dict[str, str] = {name: url for name, url in stack["http"].items() if name in SERVICES}
            return cls(kafka=KafkaConnection(stack["kafka"]), token=SecretStr(token or stack["token"]), **urls)
        except FileNotFoundError:
            raise NoConnectionError(f"no Rondo runs in {home} (set RONDO_HOME to name another)") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NoConnectionError(f"{file} can't be read ({error})") from None

    @classmethod
    def _from_environment(cls, environ: Mapping[str, str], token: str | None) -> Self:
        required = ("RONDO_KAFKA", *map(_variable, _REQUIRED))
        missing = [name for name in required if not environ.get(name)] + ([] if token else ["RONDO_TOKEN"])
        if missing or not token:
            raise NoConnectionError(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set")
        try:
            kafka = KafkaConnection(environ["RONDO_KAFKA"])
        except InvalidAddressError as error:
            raise NoConnectionError(f"RONDO_KAFKA: {error}") from None
        urls = {name: environ[_variable(name)].rstrip("/") for name in SERVICES if environ.get(_variable(name))}
        return cls(kafka=kafka, token=SecretStr(token), **urls)

    def url(self, service: str) -> str | None:
        """Return the address of a service. None if it is not configured."""
        address: str | None = getattr(self, service)
        return address


def _variable(service: str) -> str:
    return f"RONDO_{service.upper()}_URL"


def _token(environ: Mapping[str, str]) -> str | None:
    if environ.get("RONDO_TOKEN"):
        return environ["RONDO_TOKEN"]
    file = environ.get("RONDO_TOKEN_FILE")
    if not file:
        return None
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NoConnectionError(f"the file of RONDO_TOKEN_FILE can't be read ({error})") from None
