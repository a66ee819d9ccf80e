"""`rondo status`: whether every service and what they stand on is ready, and if not, why."""

from __future__ import annotations

from typing import Any

import typer

from rondo.client.cli.output import Json, print_json, print_table
from rondo.client.cli.session import using


def status(json: Json = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Show whether every service, Kafka and PostgreSQL are ready, and if not, why. Exit code 1 if one is not."""
    parts = using(lambda rondo: rondo.status())
    if json:
        print_json(parts)
    else:
        print_table(
            ("what", "", "why", "address"),
            [(name, _word(said["ready"]), _why(said), said["url"]) for name, said in parts.items()],
        )
    raise typer.Exit(1 if any(said["ready"] is False for said in parts.values()) else 0)


def _word(ready: bool | None) -> str:  # noqa: FBT001 - the answer itself
    return {True: "ready", False: "NOT READY", None: "unknown"}[ready]


def _why(said: dict[str, Any]) -> str:
    wrong = [f"{name}: {word}" for name, word in said["checks"].items() if word != "ok"]
    return "; ".join([said["message"], *wrong] if said["message"] else wrong)
