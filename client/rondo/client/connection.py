"""Where Rondo is, and the token that opens it: from the environment, or from the stack that runs here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, SecretStr

from rondo.client.errors import NoConnectionError

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICES = ("ingestion", "trainer", "registry", "serving", "monitor")
_REQUIRED = ("ingestion", "registry", "serving")


class Connection(BaseModel):
    """Addresses of a running Rondo. The trainer and the monitor are only asked for their readiness."""

    model_config = ConfigDict(frozen=True)

    kafka: str
    registry: str
    ingestion: str
    serving: str
    trainer: str | None = None
    monitor: str | None = None
    token: SecretStr

    @classmethod
    def discover(cls, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Self:
        """Find Rondo: by the RONDO_* variables when one of the URLs is set, else the stack of RONDO_HOME (or `.rondo`).

        Without arguments: this process's environment and current directory.

        Raises:
            NoConnectionError: no stack runs there, or a variable or file is missing.

        """
        environ, cwd = os.environ if environ is None else environ, cwd or Path.cwd()
        if any(environ.get(_variable(service)) for service in SERVICES):
            return cls._from_environment(environ)
        return cls.of_stack(cwd / (environ.get("RONDO_HOME") or ".rondo"))

    @classmethod
    def of_stack(cls, home: Path) -> Self:
        """Read the `stack.json` of the embedded stack that runs in `home`.

        Raises:
            NoConnectionError: none runs there.

        """
        file = home / "stack.json"
        try:
            written: dict[str, Any] = json.loads(file.read_text("utf-8"))
            urls: dict[str, str] = {name: url for name, url in written["http"].items() if name in SERVICES}
            return cls(kafka=written["kafka"], token=SecretStr(written["token"]), **urls)
        except FileNotFoundError:
            raise NoConnectionError(f"no Rondo runs in {home} (set RONDO_HOME to name another)") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NoConnectionError(f"{file} can't be read ({error})") from None

    @classmethod
    def _from_environment(cls, environ: Mapping[str, str]) -> Self:
        token = _token(environ)
        wanted = ("RONDO_KAFKA", *map(_variable, _REQUIRED))
        missing = [name for name in wanted if not environ.get(name)] + ([] if token else ["RONDO_API_TOKEN"])
        if missing:
            raise NoConnectionError(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set")
        urls = {name: environ[_variable(name)].rstrip("/") for name in SERVICES if environ.get(_variable(name))}
        return cls(kafka=environ["RONDO_KAFKA"], token=SecretStr(token), **urls)

    def url(self, service: str) -> str | None:
        """Return the address of a service, if it is known."""
        address: str | None = getattr(self, service)
        return address


def _variable(service: str) -> str:
    return f"RONDO_{service.upper()}_URL"


def _token(environ: Mapping[str, str]) -> str:
    if environ.get("RONDO_API_TOKEN"):
        return environ["RONDO_API_TOKEN"]
    file = environ.get("RONDO_API_TOKEN_FILE")
    if not file:
        return ""
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NoConnectionError(f"the file of RONDO_API_TOKEN_FILE can't be read ({error})") from None
