"""The command shows the answers of newer services, whose words it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.cli.test_alerts import ALERT, DELIVERY, SILENCE
from tests.client.stub_services import ANSWERS, Monitor, Services, summary
from tests.monitor.report.story import story
from tests.support.unknown_words import WORD

if TYPE_CHECKING:
    from click.testing import Result

Run = Callable[..., "Result"]
# The fields of answers that classify.
CLASSIFY = {
    "action", "code", "gate", "group", "kind", "method", "metric", "origin", "problem", "reason", "role", "severity",
    "state", "statistic", "status", "strategy", "task", "then", "verdict",
}  # fmt: skip
READ = [path for method, path in ANSWERS if method == "GET" and ("/late" in path or path.count("/") == 2)]


def of_the_future(value: Any) -> Any:
    """Return an answer with every word that classifies replaced."""
    if isinstance(value, dict):
        return {
            name: WORD if name in CLASSIFY and isinstance(item, str) else of_the_future(item)
            for name, item in value.items()
        }
    return [of_the_future(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(autouse=True)
def newer_services(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in READ:
        status, body = ANSWERS["GET", path]
        monkeypatch.setitem(Services.answers, ("GET", path), (status, of_the_future(body)))
    shown = story()
    closed = [each.model_dump(mode="json") for each in shown.windows]
    silenced = ALERT | {"state": "silenced", "silence": SILENCE}
    answers = {
        "models": {"models": [summary("late", version=2, no_verdict=WORD, open_alerts=[WORD])]},
        "models/late/drift": shown.status.model_dump(mode="json"),
        "models/late/windows?limit=20": {
            "next": None,
            "windows": closed,
        },
        "alerts": {"alerts": [ALERT, silenced]},
        "silences": {"silences": [SILENCE | {"kind": "drift"}]},
        "deliveries": {"deliveries": [DELIVERY]},
    }
    for path, answer in answers.items():
        monkeypatch.setitem(Monitor.answers, ("GET", f"/v1/{path}"), (200, of_the_future(answer)))


@pytest.mark.medium
@pytest.mark.parametrize(
    ("command", "has_words_for_people"),
    [
        ("models", True), ("models late", True), ("runs", True), ("history late", True), ("lineage late 1", True),
        ("status", True), ("rollout late", True),
        ("drift late", True), ("drift late --history", False), ("alerts", True), ("silences", True),
    ],
)  # fmt: skip
def test_an_unknown_word_is_shown_as_it_is(rondo: Run, command: str, *, has_words_for_people: bool) -> None:
    done, for_programs = rondo(*command.split()), rondo(*command.split(), "--json")
    assert (done.exit_code, WORD in done.stdout) == (0, has_words_for_people), done.output
    assert (for_programs.exit_code, WORD in for_programs.stdout) == (0, True), for_programs.output
