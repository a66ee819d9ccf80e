"""The command shows the answers of newer services, whose words it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.cli.test_alerts import ALERT, DELIVERY, SILENCE
from tests.client.stub_services import ANSWERS, APPLIED_DATASET, JOB, REPORT, WEATHER, Monitor, Services, summary
from tests.monitor.report.story import story
from tests.support.unknown_words import WORD

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

Run = Callable[..., "Result"]
# The fields of answers that classify.
CLASSIFY = {
    "action", "change", "code", "gate", "group", "kind", "method", "metric", "origin", "problem", "reason", "role",
    "severity", "state", "statistic", "status", "strategy", "task", "then", "verdict",
}  # fmt: skip
READ = [path for method, path in ANSWERS if method == "GET" and ("/late" in path or path.count("/") == 2)]
READ += ["/v1/datasets/trips", "/v1/datasets/weather", f"/v1/scoring-jobs/{JOB['job']}"]


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
    batch = "/v1/datasets/trips/batches/a"
    monkeypatch.setitem(Services.answers, ("POST", batch), (201, of_the_future(REPORT)))
    for path, answer in answers.items():
        monkeypatch.setitem(Monitor.answers, ("GET", f"/v1/{path}"), (200, of_the_future(answer)))


@pytest.mark.medium
@pytest.mark.parametrize(
    ("command", "has_words_for_people"),
    [
        ("models", True), ("models late", True), ("runs", True), ("history late", True), ("lineage late 1", True),
        ("status", True), ("rollout late", True),
        ("drift late", True), ("drift late --history", False), ("alerts", True), ("silences", True),
        ("score --status", True),
    ],
)  # fmt: skip
def test_an_unknown_word_is_shown_as_it_is(rondo: Run, command: str, *, has_words_for_people: bool) -> None:
    done, for_programs = rondo(*command.split()), rondo(*command.split(), "--json")
    assert (done.exit_code, WORD in done.stdout) == (0, has_words_for_people), done.output
    assert (for_programs.exit_code, WORD in for_programs.stdout) == (0, True), for_programs.output


def test_a_job_that_ended_in_an_unknown_state_has_no_scores(rondo: Run) -> None:
    done = rondo("score", "--resume", JOB["job"])
    assert (done.exit_code, WORD in done.stdout) == (1, True), done.output


def test_a_batch_is_published_and_a_spec_is_applied_whatever_the_words_of_the_answers(
    rondo: Run, batch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rondo("publish", "trips", batch, "--batch-id", "a").exit_code == 0
    assert rondo("apply", "late.yaml").exit_code == 0
    (tmp_path / "weather.yaml").write_text(WEATHER, encoding="utf-8")
    monkeypatch.setitem(Services.answers, ("PUT", "/v1/specs"), (200, of_the_future(APPLIED_DATASET)))
    applied = rondo("apply", "weather.yaml", "--json")
    assert (applied.exit_code, applied.stdout.count(WORD)) == (0, 2), applied.output
