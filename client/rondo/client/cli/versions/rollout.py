"""`rondo rollout`: how far a version is on its way, and what people decide about it."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.output import Json, print_json, print_text
from rondo.client.cli.versions.promote import Reason  # noqa: TC001 - typer reads it at run time
from rondo.contracts.vocabularies import RolloutState, RolloutVerdict

_LIVE_SECONDS = 2.0
_ENDED = (RolloutState.PROMOTED, RolloutState.ROLLED_BACK, RolloutState.ABORTED, RolloutState.SUPERSEDED)
_SENTENCES: dict[str, str] = {
    RolloutVerdict.BETTER: "the candidate is better",
    RolloutVerdict.NOT_WORSE: "it is not worse by the margin",
    RolloutVerdict.WORSE: "it is worse",
    RolloutVerdict.ERRORS: "it fails on more requests",
    RolloutVerdict.SLOW: "it answers more slowly",
    RolloutVerdict.DISAGREEMENT: "it predicts otherwise than on the holdout",
}


class Decision(StrEnum):
    """What a person may decide about a rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    ABORT = "abort"


def rollout(
    model: str,
    decision: Annotated[
        Decision | None, typer.Argument(help="pause, resume, promote (now) or abort; without it, show the rollout.")
    ] = None,
    reason: Reason = "",
    live: Annotated[bool, typer.Option("--live", help="Show it again every two seconds until it ends.")] = False,  # noqa: FBT002
    json: Json = False,  # noqa: FBT002
) -> None:
    """Show the latest rollout of a model, or decide about it. A decision needs the role approver."""
    if decision is not None:
        found = session.run(lambda rondo: rondo.decide_rollout(model, decision.value, reason))
    else:
        found = session.run(lambda rondo: rondo.rollout(model))
    _print(found, json=json)
    while live and decision is None and found["state"] not in _ENDED:
        time.sleep(_LIVE_SECONDS)
        found = session.run(lambda rondo: rondo.rollout(model))
        _print(found, json=json)


def _print(found: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(found)
    else:
        print_text("\n".join(_lines(found)))


def _lines(found: dict[str, Any]) -> list[str]:
    steps = ", ".join(f"{step:.0%}" for step in found["steps"])
    verdict = f", {found['verdict']}" if found["verdict"] else ""
    width = f" ± {found['half_width']:.5f}" if found["half_width"] is not None else ""
    lines = [
        f"{found['model']}: version {found['candidate']} beside {found['champion']}, {found['state']}{verdict}",
        f"  strategy     {found['strategy']}, step {found['step']} of {steps}; it answers {found['share']:.0%}",
        f"  since        {found['since']}, began {found['began']}",
        f"  answers      {found['answers']:,}; it scored {found['scored']:,} rows",
        f"  errors       {found['candidate_errors']:,}, and {found['champion_errors']:,} of the champion",
        f"  outcomes     {found['outcomes']:,} in {found['blocks']:,} blocks of {found['block_seconds']:,.0f} s",
        f"  difference   {found['difference']:+.5f}{width} in loss, margin {found['margin']:.5f}",
    ]
    if (need := found["need"]) is not None:
        lines.append(
            f"  needs about  {need['median']:,} blocks a step if equal, {need['nine_of_ten']:,} in nine of ten"
        )
    for each in found["evidence"]:
        what = _SENTENCES.get(each["verdict"], each["verdict"])
        reached = max(0.0, each["log_e"] / each["needed"])
        lines.append(f"  {each['verdict']:<12} {reached:.0%} of the evidence that {what}")
    return lines
