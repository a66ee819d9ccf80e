"""`rondo status`: the readiness of the services and of their dependencies."""

from __future__ import annotations

from typing import Any

import typer

from rondo.client.cli import session
from rondo.client.cli.output import Json, print_json, print_table


def status(json: Json = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Show whether every service, Kafka and PostgreSQL are ready, and if not, why. Exit code 1 if one is not."""
    states = session.run(lambda rondo: rondo.status())
    if json:
        print_json(states)
    else:
        print_table(
            ("what", "", "why", "address"),
            [(name, _ready(state["ready"]), _why(state), state["url"]) for name, state in states.items()],
        )
    raise typer.Exit(1 if any(state["ready"] is False for state in states.values()) else 0)


def _ready(ready: bool | None) -> str:  # noqa: FBT001 - the value itself
    return {True: "ready", False: "NOT READY", None: "unknown"}[ready]


def _why(state: dict[str, Any]) -> str:
    failing = [f"{name}: {result}" for name, result in state["checks"].items() if result != "ok"]
    return "; ".join([state["message"], *failing] if state["message"] else failing)
