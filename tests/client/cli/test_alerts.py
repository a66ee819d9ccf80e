"""`rondo alerts`, `silence`, `silences` and `unsilence`, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from rondo.monitor.notifications.http import AlertView, Delivery, SilenceView

from tests.client.stub_services import DAY, UNKNOWN, Monitor, summary

if TYPE_CHECKING:
    from click.testing import Result
    from rondo.contracts.events.base import Value

Run = Callable[..., "Result"]
SILENCE = {
    "silence_id": 3, "model": "late", "kind": None, "reason": "a known fault", "created_by": "ada", "created_at": DAY,
    "until": "2013-03-01T14:00:00Z", "ended_at": None, "ended_by": None, "active": True,
}  # fmt: skip
ALERT = {
    "alert_id": "a1", "model": "late", "model_version": 2, "kind": "performance", "severity": "critical",
    "title": "late version 2: worse", "detail": "loss 0.4", "state": "open", "silence": None, "raised_at": DAY,
    "opened_at": DAY, "resolved_at": None, "closed_at": None, "resolution": "", "messages": 1, "last_message_at": DAY,
}  # fmt: skip
OVER = ALERT | {
    "alert_id": "a2", "kind": "no_verdict", "state": "resolved", "resolved_at": DAY, "resolution": "judged now"
}  # fmt: skip
DELIVERY = {
    "id": 17, "message_id": "m", "receiver": "hooks.example#0123", "model": "late", "status": "firing",
    "reason": "silence_ended", "alert_ids": ["a1", "a2"], "state": "failed", "attempts": 20, "last_answer": "503",
    "written_at": DAY,
}  # fmt: skip


@pytest.mark.parametrize(("stub", "view"), [(SILENCE, SilenceView), (ALERT, AlertView), (DELIVERY, Delivery)])
def test_the_stubs_are_what_the_monitor_answers(stub: dict[str, Any], view: type[Value]) -> None:
    assert view.model_validate(stub).model_dump().keys() == stub.keys()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets the monitor's answers. Initially there are no alerts, silences and deliveries."""

    def answer(method: str, path: str, body: Any, code: int = 200) -> None:
        monkeypatch.setitem(Monitor.answers, (method, f"/v1/{path}"), (code, body))

    for name in ("alerts", "silences", "deliveries"):
        answer("GET", name, {name: []})
        answer("GET", f"{name}?model=late", {name: []})
        answer("GET", f"{name}?model=nosuch", UNKNOWN, 404)
    return answer


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_alerts_are_shown_with_their_state_and_the_messages_about_them(rondo: Run, answers: Any) -> None:
    silenced = ALERT | {"state": "silenced", "silence": SILENCE}
    answers("GET", "alerts", {"alerts": [ALERT, silenced, OVER]})
    answers("GET", "deliveries", {"deliveries": [DELIVERY]})
    done = rondo("alerts")
    _, first, second, third, *_, delivery = done.stdout.splitlines()
    assert cells(first)[3:6] == ["performance", "open", "2013-03-01 12:00"]
    assert "silenced until 2013-03-01 14:00 by ada" in second
    assert cells(third)[3:] == ["no verdict", "resolved 2013-03-01 12:00", "2013-03-01 12:00", "1", "judged now"]
    assert {"17", "2 alerts silence ended", "hooks.example#0123", "failed", "20", "503"} <= set(cells(delivery))


def test_the_alerts_of_a_model_for_programs(rondo: Run, answers: Any) -> None:
    answers("GET", "alerts?model=late", {"alerts": [ALERT]})
    assert orjson.loads(rondo("alerts", "late", "--json").stdout) == {"alerts": [ALERT], "deliveries": []}


@pytest.mark.parametrize("command", ["alerts", "silences"])
def test_nothing_is_a_sentence_and_an_unknown_model_an_error(rondo: Run, answers: Any, command: str) -> None:
    assert answers
    done = rondo(command)
    assert (done.exit_code, "seven days" in done.stdout) == (0, True)
    assert rondo(command, "nosuch").exit_code == 1


def test_a_message_is_delivered_again(rondo: Run, answers: Any) -> None:
    answers("POST", "deliveries/17/redeliver", DELIVERY | {"state": "pending"}, 202)
    assert "hooks.example#0123" in rondo("alerts", "--redeliver", "17").stdout
    assert orjson.loads(rondo("alerts", "--redeliver", "17", "--json").stdout)["state"] == "pending"


def test_a_model_is_silenced_listed_and_no_longer_silenced(rondo: Run, answers: Any) -> None:
    answers("POST", "models/late/silences", SILENCE | {"kind": "no_verdict"}, 201)
    arguments = ("silence", "late", "--for", "2h", "--reason", "a known fault", "--kind", "no_verdict")
    done = rondo(*arguments)
    assert all(part in done.stdout for part in ("late (no verdict)", "2013-03-01 14:00", "rondo unsilence 3"))
    assert orjson.loads(rondo(*arguments, "--json").stdout)["created_by"] == "ada"
    ended = SILENCE | {"active": False, "ended_by": "bob", "ended_at": DAY}
    answers("GET", "silences", {"silences": [SILENCE, ended, ended | {"ended_by": None}]})
    states = [cells(line)[4] for line in rondo("silences").stdout.splitlines()[1:]]
    assert states == ["active", "ended by bob", "over"]
    answers("DELETE", "silences/3", ended)
    assert "late" in rondo("unsilence", "3").stdout


@pytest.mark.parametrize(
    "wrong",
    [("--for", "two hours", "--reason", "r"), ("--for", "2h", "--reason", "r", "--kind", "drfit"), ("--for", "2h")],
)
def test_a_wrong_option_is_refused(rondo: Run, wrong: tuple[str, ...]) -> None:
    assert rondo("silence", "late", *wrong).exit_code == 2


def test_a_silence_that_is_too_long_is_refused_with_the_longest(rondo: Run, answers: Any) -> None:
    answers("POST", "models/late/silences", SILENCE, 201)
    assert rondo("silence", "late", "--for", "30d", "--reason", "r").exit_code == 0
    refused = rondo("silence", "late", "--for", "721h", "--reason", "r")
    said = " ".join(refused.stderr.replace("│", " ").split())
    assert refused.exit_code == 2
    assert "a silence lasts 30 days at most: give --for 30d" in said


def test_status_marks_what_is_silenced(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {"models": [summary("late", open_alerts=["drift", "no_verdict"], silenced_alerts=["no_verdict"])]}
    monkeypatch.setitem(Monitor.answers, ("GET", "/v1/models"), (200, listed))
    assert "late: alert: drift, alert: no verdict (silenced)" in rondo("status").stdout
