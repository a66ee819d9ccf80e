"""Kafka and PostgreSQL as the services see them: whether those that stand on them can reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# As the services' health names them.
SERVERS = ("kafka", "postgresql")


def seen_by(services: Mapping[str, Mapping[str, Any]], kafka: str) -> dict[str, dict[str, Any]]:
    """Return what the readiness of services says of the servers, in the form of a service's own.

    A server is `ready` where all who speak of it reach it, None where nobody does; `checks` has each one's word. The
    address of PostgreSQL is the services' secret, that of Kafka is known here.
    """
    return {name: _seen(name, services, kafka if name == "kafka" else None) for name in SERVERS}


def _seen(server: str, services: Mapping[str, Mapping[str, Any]], address: str | None) -> dict[str, Any]:
    checks = {name: said["checks"][server] for name, said in services.items() if server in said["checks"]}
    return {
        "ready": all(word == "ok" for word in checks.values()) if checks else None,
        "url": address,
        "checks": checks,
        "message": "" if checks else "no service tells",
    }
