"""`rondo rollout`: the state of a rollout, and decisions of people about it."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.output import Json, minute, print_json, print_note, print_text, stdout
from rondo.client.cli.versions.promote import Reason  # noqa: TC001 - typer reads it at run time
from rondo.client.errors import UnavailableError, UnreachableError
from rondo.contracts.vocabularies import RolloutState, RolloutVerdict

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIVE_SECONDS = 2.0
_ACTIVE = (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.ASKING, RolloutState.WATCHING)
_SENTENCES: dict[str, str] = {
    RolloutVerdict.BETTER: "the candidate is better",
    RolloutVerdict.NOT_WORSE: "it is not worse by the margin",
    RolloutVerdict.WORSE: "it is worse",
    RolloutVerdict.ERRORS: "it fails on more requests",
    RolloutVerdict.SLOW: "it answers more slowly",
    RolloutVerdict.DISAGREEMENT: "it predicts otherwise than on the holdout",
}
# The next action at the end of the current step, or of the rollback window.
_THEN = {
    "pass": "the step is passed unless a guard fires",
    "wait": "inconclusive without more evidence; it waits, and asks at {asks}",
    "ask": "inconclusive without more evidence; a person is asked",
    "back": "inconclusive without more evidence; it goes back",
    "end": "the rollback window ends",
}
_DECIDED = {"rollout_began": "began", "rollout_step": "took a step", "promoted": "promoted"}


class Decision(StrEnum):
    """The decisions about a rollout that a person may make."""

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
    while live and decision is None and found["state"] in _ACTIVE:
        time.sleep(_LIVE_SECONDS)
        try:
            found = session.run(lambda rondo: rondo.rollout(model))
        except (UnavailableError, UnreachableError) as error:
            print_note(f"{error}; it is asked again")
            continue
        if not json:
            stdout().clear()  # has no effect without a terminal
        _print(found, json=json)


def _print(found: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(found)
    else:
        print_text("\n".join(_lines(found)))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    steps = ", ".join(f"{step:.0%}" for step in found["steps"])
    verdict = f", {found['verdict']}" if found["verdict"] else ""
    width = f" ± {found['half_width']:.5f}" if found["half_width"] is not None else ""
    yield f"{found['model']}: version {found['candidate']} beside {found['champion']}, {found['state']}{verdict}"
    yield f"  strategy     {found['strategy']}, step {found['step']} of {steps}; it answers {found['share']:.0%}"
    yield f"  since        {found['since']}, began {found['began']}"
    yield from _next(found)
    yield f"  answers      {found['answers']:,}; it scored {found['scored']:,} rows"
    yield f"  errors       {found['candidate_errors']:,}, and {found['champion_errors']:,} of the champion"
    yield f"  outcomes     {found['outcomes']:,} in {found['blocks']:,} blocks of {found['block_seconds']:,.0f} s"
    yield f"  difference   {found['difference']:+.5f}{width} in loss, margin {found['margin']:.5f}"
    if (need := found["need"]) is not None:
        yield f"  needs about  {need['median']:,} blocks a step if equal, {need['nine_of_ten']:,} in nine of ten"
    for each in found["evidence"]:
        what = _SENTENCES.get(each["verdict"], each["verdict"])
        reached = max(0.0, each["log_e"] / each["needed"])
        yield f"  {each['verdict']:<12} {reached:.0%} of the evidence that {what}"
    # An older registry sends neither this nor the next action.
    if "false_rollback_rate" in found:
        rate, least = found["false_rollback_rate"], found["min_answers"]
        yield f"  false alarm  at most {rate:.3g} of equally good versions go back; a step needs {least:,} answers"
    for each in found.get("decisions", ()):
        yield _decided(each)


def _next(found: dict[str, Any]) -> Iterator[str]:
    """Yield the commands for a person, or the next action without more evidence."""
    if found["state"] == RolloutState.ASKING:
        yield f"  it asks      decide by `rondo rollout {found['model']}` resume, promote or abort"
    if (then := found.get("then")) is not None:
        what = _THEN.get(then, then).format(asks=minute(found["asks"]))
        yield f"  {minute(found['ends'])}  {what}"


def _decided(decision: dict[str, Any]) -> str:
    what, figures = _DECIDED.get(decision["action"], decision["state"] or decision["action"]), decision["evidence"]
    if decision["verdict"]:
        what += f", {decision['verdict']}"
    if figures:
        what += f" after {figures['answers']:,} answers and {figures['outcomes']:,} outcomes"
    if decision["share"] is not None:
        what += f"; it answers {decision['share']:.0%}"
    why = f": {decision['reason']}" if decision["reason"] else ""
    return f"  {minute(decision['at'])}  {what}  (by {decision['by']}{why})"
