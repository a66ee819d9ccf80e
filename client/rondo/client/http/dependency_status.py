"""The state of Kafka and PostgreSQL, derived from the readiness of the services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# The names of the dependencies in the services' readiness.
DEPENDENCIES = ("kafka", "postgresql")


def dependency_status(services: Mapping[str, Mapping[str, Any]], kafka: str) -> dict[str, dict[str, Any]]:
    """Return the state of each dependency in the form of a service's own readiness.

    `ready` is true if every service that checks the dependency reaches it, and None if no service checks it. `checks`
    has the result by service. The address of PostgreSQL is None, because it is a secret of the services.
    """
    return {name: _status(name, services, kafka if name == "kafka" else None) for name in DEPENDENCIES}


def _status(dependency: str, services: Mapping[str, Mapping[str, Any]], address: str | None) -> dict[str, Any]:
    checks = {name: state["checks"][dependency] for name, state in services.items() if dependency in state["checks"]}
    return {
        "ready": all(result == "ok" for result in checks.values()) if checks else None,
        "url": address,
        "checks": checks,
        "message": "" if checks else "no service reports it",
    }
