"""`rondo alerts`, `silence`, `silences` and `unsilence`: alerts, their messages, and silences."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.arguments import duration
from rondo.client.cli.output import Json, minute, print_json, print_list, print_table, print_text
from rondo.contracts.times import LONGEST_SILENCE
from rondo.contracts.vocabularies import AlertKind  # noqa: TC001 - typer reads annotations

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo

_SHOWN_DELIVERIES = 10
OfModel = Annotated[str | None, typer.Argument(help="Only those of this model.")]


def alerts(
    model: OfModel = None,
    redeliver: Annotated[
        int | None,
        typer.Option(metavar="ID", help="Deliver this message again to its receiver. Needs the role engineer."),
    ] = None,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Show alerts that are open, silenced, or ended in the last seven days, and the newest messages about them."""
    if redeliver is not None:
        _redeliver(redeliver, json=json)
        return

    async def both(rondo: AsyncRondo) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        found, deliveries = await asyncio.gather(rondo.alerts(model), rondo.deliveries(model))
        return found, deliveries

    found, deliveries = session.run(both)
    if json:
        print_json({"alerts": found, "deliveries": deliveries})
        return
    of = f" of {model}" if model else ""
    columns = ("model", "version", "severity", "what", "state", "since", "messages", "detail")
    print_list(found, columns, _alert, empty=f"no alert{of} is open, and none has ended in seven days", json=False)
    if deliveries:
        print_text("")
        print_table(
            ("id", "written", "model", "about", "receiver", "state", "calls", "last answer"),
            map(_delivery, deliveries[:_SHOWN_DELIVERIES]),
        )


def silence(
    model: str,
    lasting: Annotated[str, typer.Option("--for", help="For how long, such as 2h or 3d; 30 days at most.")],
    reason: Annotated[str, typer.Option(help="Why; it is shown beside the alerts.")],
    kind: Annotated[AlertKind | None, typer.Option(help="Only alerts of this kind.")] = None,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Send no messages about a model's alerts for some time. The alerts are still shown. Needs the role engineer."""
    time = duration(lasting)
    if time > LONGEST_SILENCE:
        most = LONGEST_SILENCE.days
        raise typer.BadParameter(f"a silence lasts {most} days at most: give --for {most}d, and renew it when it ends")
    made = session.run(lambda rondo: rondo.silence(model, time.total_seconds(), reason, kind=kind))
    if json:
        print_json(made)
    else:
        ending = f"`rondo unsilence {made['silence_id']}` ends it early"
        print_text(f"{_about(made)} is silenced until {minute(made['until'])} UTC; {ending}")


def silences(model: OfModel = None, json: Json = False) -> None:  # noqa: FBT002
    """List the silences that are active, or ended in the last seven days: who made them, and why."""
    print_list(
        session.run(lambda rondo: rondo.silences(model)),
        ("id", "model", "kind", "until", "state", "by", "reason"),
        lambda each: (
            each["silence_id"], each["model"], each["kind"] or "all", minute(each["until"]), _state_of(each),
            each["created_by"], each["reason"],
        ),
        empty="no silence is active, and none has ended in seven days",
        json=json,
    )  # fmt: skip


def unsilence(
    id: Annotated[int, typer.Argument(metavar="ID", help="The silence's id, as `rondo silences` shows it.")],  # noqa: A002
    json: Json = False,  # noqa: FBT002
) -> None:
    """End a silence early. Alerts that are still open are sent again. Needs the role engineer."""
    ended = session.run(lambda rondo: rondo.end_silence(id))
    if json:
        print_json(ended)
    else:
        print_text(f"{_about(ended)} is no longer silenced by {id}")


def _redeliver(delivery_id: int, *, json: bool) -> None:
    found = session.run(lambda rondo: rondo.redeliver(delivery_id))
    if json:
        print_json(found)
    else:
        print_text(f"message {delivery_id} is delivered again to {found['receiver']}; `rondo alerts` shows the answer")


def _alert(alert: dict[str, Any]) -> tuple[object, ...]:
    state = alert["state"]
    if state == "silenced":
        state = f"silenced until {minute(alert['silence']['until'])} by {alert['silence']['created_by']}"
    elif state == "resolved":
        state = f"resolved {minute(alert['resolved_at'])}"
    return (
        alert["model"], alert["model_version"], alert["severity"], _words(alert["kind"]), state,
        minute(alert["raised_at"]), alert["messages"],
        alert["detail"] if alert["resolved_at"] is None else alert["resolution"],
    )  # fmt: skip


def _delivery(delivery: dict[str, Any]) -> tuple[object, ...]:
    count = len(delivery["alert_ids"])
    about = f"{count} alert{'s' if count > 1 else ''} {_words(delivery['reason'])}"
    return (
        delivery["id"], minute(delivery["written_at"]), delivery["model"], about, delivery["receiver"],
        delivery["state"], delivery["attempts"], delivery["last_answer"],
    )  # fmt: skip


def _about(silence: dict[str, Any]) -> str:
    kind = f" ({_words(silence['kind'])})" if silence["kind"] else ""
    return f"{silence['model']}{kind}"


def _state_of(silence: dict[str, Any]) -> str:
    if silence["active"]:
        return "active"
    return f"ended by {silence['ended_by']}" if silence["ended_by"] else "over"


def _words(text: str) -> str:
    return text.replace("_", " ")
