"""`rondo rollout`: what it shows of each state, what a person decides, and how it follows a rollout."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from rondo.client.cli.versions import rollout

from tests.client.stub_services import ANSWERS, Services
from tests.support.unknown_words import WORD

if TYPE_CHECKING:
    from click.testing import Result

Run = Callable[..., "Result"]
PATH = "/v1/models/late/rollout"
STARTING = (503, {"code": "unavailable", "detail": "the registry is still starting"})


def view(**fields: Any) -> tuple[int, dict[str, Any]]:
    return 200, ANSWERS["GET", PATH][1] | fields


def served(monkeypatch: pytest.MonkeyPatch, answer: tuple[int, Any], action: str = "") -> None:
    monkeypatch.setitem(Services.answers, ("POST", f"{PATH}/{action}") if action else ("GET", PATH), answer)


@pytest.mark.parametrize(
    ("fields", "shown", "hidden"),
    [
        ({"then": "pass", "asks": None}, "2013-03-01 14:10", "asks at"),
        ({"then": "ask", "asks": None}, "2013-03-01 14:10", "asks at"),
        ({"then": "back", "asks": None}, "2013-03-01 14:10", "asks at"),
        ({"state": "watching", "then": "end", "asks": None}, "2013-03-01 14:10", "asks at"),
        ({"state": "paused", "ends": None, "then": None, "asks": None}, "late: version 3 beside 2, paused", "14:10"),
        ({"state": "asking", "ends": None, "then": None, "asks": None}, "`rondo rollout late` resume", "14:10"),
    ],
)
def test_what_happens_next_is_shown(
    rondo: Run, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], shown: str, hidden: str
) -> None:
    served(monkeypatch, view(**fields))
    done = rondo("rollout", "late")
    assert (done.exit_code, shown in done.stdout, hidden in done.stdout) == (0, True, False), done.stdout


def test_each_next_action_has_its_own_sentence(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = set()
    for then in ("pass", "wait", "ask", "back", "end"):
        served(monkeypatch, view(then=then))
        shown.add(rondo("rollout", "late").stdout)
    assert len(shown) == 5


def test_a_registry_of_an_earlier_release_has_neither_decisions_nor_ends(
    rondo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = ("ends", "then", "asks", "decisions", "false_rollback_rate", "min_answers")
    known = {name: value for name, value in view()[1].items() if name not in later}
    served(monkeypatch, (200, known))
    done = rondo("rollout", "late")
    assert (done.exit_code, "false alarm" in done.stdout) == (0, False)


@pytest.mark.parametrize(
    ("action", "state"),
    [("pause", "paused"), ("resume", "running"), ("promote", "watching"), ("abort", "aborted")],
)
def test_a_decision_is_sent_and_its_result_is_shown(
    rondo: Run, monkeypatch: pytest.MonkeyPatch, action: str, state: str
) -> None:
    served(monkeypatch, view(state=state), action)
    done = rondo("rollout", "late", action, "--reason", "seen enough", "--json")
    assert (done.exit_code, orjson.loads(done.stdout)["state"]) == (0, state)


def test_an_unknown_decision_is_refused(rondo: Run) -> None:
    assert rondo("rollout", "late", "hurry").exit_code == 2


def test_live_shows_a_rollout_until_it_ends_also_while_the_registry_is_away(
    rondo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(monkeypatch, view())
    answers = iter([view(answers=5_000), STARTING, view(state="watching"), view(state="promoted")])
    monkeypatch.setattr(rollout, "time", SimpleNamespace(sleep=lambda _: served(monkeypatch, next(answers))))
    done = rondo("rollout", "late", "--live")
    heads = [line for line in done.stdout.splitlines() if line.startswith("late: version 3")]
    assert done.exit_code == 0, done.output
    assert [line.split(", ")[1] for line in heads] == ["running", "running", "watching", "promoted"]
    assert "5,000" in done.stdout
    assert "still starting" in done.stderr
    assert next(answers, None) is None


@pytest.mark.parametrize("state", [WORD, "rolled_back", "aborted", "superseded"])
def test_live_ends_with_a_final_state_or_an_unknown_one(
    rondo: Run, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    served(monkeypatch, view())
    answers = iter([view(state=state)])
    monkeypatch.setattr(rollout, "time", SimpleNamespace(sleep=lambda _: served(monkeypatch, next(answers))))
    done = rondo("rollout", "late", "--live")
    assert (done.exit_code, state in done.stdout) == (0, True), done.output


def test_live_ends_where_the_registry_refuses(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch, view())
    refused = (403, {"code": "forbidden", "detail": "no", "required_roles": ["reader"]})
    monkeypatch.setattr(rollout, "time", SimpleNamespace(sleep=lambda _: served(monkeypatch, refused)))
    assert rondo("rollout", "late", "--live").exit_code != 0
