"""The five services as the stack sees them: a name, a command, and what each is told by its environment."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from rondo.embedded.addresses import Addresses
from rondo.embedded.processes.ports import LOOPBACK

# Meant for the stack itself: a service must not inherit what is meant for a superuser or another service.
_WITHHELD = ("RONDO_HOME", "RONDO_POSTGRES", "RONDO_INBOX", "RONDO_API_TOKEN", "RONDO_TOKENS")


@dataclass(frozen=True)
class Service:
    """A service to run: `python -m rondo.<name>` unless a command is given."""

    name: str
    needs_postgres: bool = True
    needs_inbox: bool = False
    command: tuple[str, ...] = ()
    seeds_tokens: bool = False
    needs_openmp: bool = False

    @property
    def argv(self) -> list[str]:
        """The command that starts it."""
        return list(self.command or (sys.executable, "-m", f"rondo.{self.name}"))

    def environment(self, addresses: Addresses, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the service's whole environment: what the stack inherited, and what only this service may know."""
        told = {
            "RONDO_SERVICE": self.name,
            "RONDO_KAFKA": addresses.kafka,
            "RONDO_HTTP_HOST": LOOPBACK,
            "RONDO_HTTP_PORT": addresses.http[self.name].rpartition(":")[2],
            "RONDO_ARTIFACTS": addresses.artifacts,
            "RONDO_DATA": addresses.data,
            "PYTHONUNBUFFERED": "1",
        }
        if self.needs_postgres:
            told["RONDO_POSTGRES"] = addresses.postgres[self.name]
        if self.seeds_tokens:
            told["RONDO_TOKENS_FILE"] = addresses.token_seeds
        if self.needs_inbox:
            told["RONDO_INBOX"] = addresses.inbox
        return {name: value for name, value in inherited.items() if name not in _WITHHELD} | told


SERVICES = (
    Service("ingestion", needs_inbox=True),
    Service("trainer", needs_openmp=True),
    Service("registry", seeds_tokens=True),
    Service("serving", needs_postgres=False),  # it starts and keeps serving without
    Service("monitor"),
)
