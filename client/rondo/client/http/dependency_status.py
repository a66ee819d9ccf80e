"""The state of Kafka and PostgreSQL, as the readiness of the services reports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# The names in the services' readiness.
DEPENDENCIES = ("kafka", "postgresql")


def dependency_status(services: Mapping[str, Mapping[str, Any]], kafka: str) -> dict[str, dict[str, Any]]:
    """Return the state of each dependency in the form of a service's own readiness.

    A dependency is `ready` if every service that checks it reaches it, and None if none checks it. `checks` has the
    result by service. The address of PostgreSQL is a secret of the services, and None.
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
