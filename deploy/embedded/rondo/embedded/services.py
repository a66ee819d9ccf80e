"""The five services of a stack: their commands and environments."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rondo.embedded.addresses import Addresses
from rondo.embedded.processes.ports import LOOPBACK

# Variables for the stack itself. A service must not inherit the credentials of a superuser or of another service.
_WITHHELD = ("RONDO_HOME", "RONDO_POSTGRES", "RONDO_INBOX", "RONDO_TOKEN", "RONDO_TOKEN_FILE", "RONDO_TOKENS")
FUNCTIONS = "RONDO_FUNCTIONS"
# Variables that name folders with a user's own packages.
_FOLDERS = (FUNCTIONS, "RONDO_DETECTORS")


@dataclass(frozen=True)
class Service:
    """A service to run, by `python -m rondo.<name>` or by another command."""

    name: str
    needs_postgres: bool = True
    needs_inbox: bool = False
    command: tuple[str, ...] = ()
    seeds_tokens: bool = False
    needs_openmp: bool = False
    has_grpc: bool = False

    @property
    def argv(self) -> list[str]:
        return list(self.command or (sys.executable, "-m", f"rondo.{self.name}"))

    def environment(self, addresses: Addresses, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return all environment variables of the service: those that the stack inherited, and its own settings."""
        settings = {
            "RONDO_SERVICE": self.name,
            "RONDO_KAFKA": addresses.kafka,
            "RONDO_HTTP_HOST": LOOPBACK,
            "RONDO_HTTP_PORT": addresses.http[self.name].rpartition(":")[2],
            "RONDO_ARTIFACTS": addresses.artifacts,
            "RONDO_DATA": addresses.data,
            "PYTHONUNBUFFERED": "1",
        }
        if self.needs_postgres:
            settings["RONDO_POSTGRES"] = addresses.postgres[self.name]
        if self.seeds_tokens:
            settings["RONDO_TOKENS_FILE"] = addresses.token_seeds
        if self.has_grpc:
            settings["RONDO_GRPC_PORT"] = addresses.grpc.rpartition(":")[2]
        if self.needs_inbox:
            settings["RONDO_INBOX"] = addresses.inbox
        # Each service runs in its own folder.
        settings |= {name: str(Path(inherited[name]).absolute()) for name in _FOLDERS if inherited.get(name)}
        return {name: value for name, value in inherited.items() if name not in _WITHHELD} | settings


SERVICES = (
    Service("ingestion", needs_inbox=True),
    Service("trainer", needs_openmp=True),
    Service("registry", seeds_tokens=True),
    Service("serving", needs_postgres=False, has_grpc=True),  # serving does not use PostgreSQL
    Service("monitor"),
)
