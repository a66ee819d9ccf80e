"""`rondo status`: the readiness of the services and of their dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.output import Json, print_json, print_table
from rondo.client.cli.verdicts import sentence, verdicts

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo


def status(json: Json = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Show whether every service, Kafka and PostgreSQL are ready, and if not, why. Exit code 1 if one is not.

    The monitor's row also has the models whose last window has no verdict.
    """
    states = session.run(_states)
    if json:
        print_json(states)
    else:
        print_table(
            ("what", "", "why", "address"),
            [(name, _ready(state["ready"]), _why(state), state["url"]) for name, state in states.items()],
        )
    raise typer.Exit(1 if any(state["ready"] is False for state in states.values()) else 0)


async def _states(rondo: AsyncRondo) -> dict[str, dict[str, Any]]:
    states, decided = await rondo.status(), await verdicts(rondo)
    states["monitor"]["no_verdict"] = {model: why for model, why in (decided or {}).items() if why is not None}
    return states


def _ready(ready: bool | None) -> str:  # noqa: FBT001 - the value itself
    return {True: "ready", False: "NOT READY", None: "unknown"}[ready]


def _why(state: dict[str, Any]) -> str:
    failing = [f"{name}: {result}" for name, result in state["checks"].items() if result != "ok"]
    undecided = [f"{model}: {sentence(why)}" for model, why in state.get("no_verdict", {}).items()]
    return "; ".join([*filter(None, [state["message"]]), *failing, *undecided])
