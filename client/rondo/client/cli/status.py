"""`rondo status`: the readiness of the services and of their dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.monitoring import alerts, dropped_share, estimates, monitoring, replicas, shares, verdict
from rondo.client.cli.output import Json, print_json, print_table
from rondo.client.errors import ForbiddenError, NotFoundError, UnavailableError, UnreachableError
from rondo.contracts.vocabularies import RolloutState

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo


def status(json: Json = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Show whether every service, Kafka and PostgreSQL are ready, and rollouts that wait for a decision.

    Exit code 1 if one of them is not ready. The monitor's row also has the time since which each model can be judged,
    or what is missing and the estimated performance, open alerts, and the partitions of each of several replicas.
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
    states, summaries = await rondo.status(), await monitoring(rondo)
    states["monitor"] |= {"models": summaries or {}, "shares": await replicas(rondo)}
    if states["registry"]["ready"]:
        states["registry"] |= {"rollouts": await _rollouts(rondo)}
    return states


async def _rollouts(rondo: AsyncRondo) -> list[dict[str, Any]]:
    """Return the active rollouts. None if the registry does not answer, or is of an earlier release."""
    try:
        return await rondo.rollouts()
    except (UnreachableError, UnavailableError, ForbiddenError, NotFoundError):
        return []


def _ready(ready: bool | None) -> str:  # noqa: FBT001 - the value itself
    return {True: "ready", False: "NOT READY", None: "unknown"}[ready]


def _why(state: dict[str, Any]) -> str:
    failing = _grouped({name: result for name, result in state["checks"].items() if result != "ok"})
    noticed = [
        f"{model}: {', '.join(findings)}"
        for model, each in state.get("models", {}).items()
        if (findings := _findings(each))
    ]
    asked = [_asked(each) for each in state.get("rollouts", ()) if each["state"] == RolloutState.ASKING]
    found = [*filter(None, [state["message"]]), *failing, *shares(state.get("shares")), *asked, *noticed]
    return "; ".join(found)


def _asked(rollout: dict[str, Any]) -> str:
    """Return a line for a rollout that waits for a person, with the command to run."""
    verdict = f" ({rollout['verdict']})" if rollout["verdict"] else ""
    return (
        f"{rollout['model']}: the rollout of version {rollout['candidate']} asks{verdict}: "
        f"see `rondo rollout {rollout['model']}`"
    )


def _grouped(checks: dict[str, str]) -> list[str]:
    """Return each result once, with the names of the checks that have it."""
    names: dict[str, list[str]] = {}
    for name, result in checks.items():
        names.setdefault(result, []).append(name)
    return [f"{', '.join(having)}: {result}" for result, having in names.items()]


def _findings(summary: dict[str, Any]) -> list[str]:
    """Return the lines of a model: the time since which it is judged, open alerts, and requests not monitored.

    If something can't be judged yet, the estimated performance follows it.
    """
    is_unjudged = bool(summary["no_verdict"] or summary.get("out_of_reach"))
    judged = [verdict(summary)] if is_unjudged or summary.get("judged_since") or summary.get("unjudged_slices") else []
    expected = estimates(summary) if is_unjudged else []
    return [*judged, *(f"alert: {each}" for each in alerts(summary)), *dropped_share(summary), *expected]
