"""`rondo status` and `rondo models` show readiness, verdicts and open alerts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.client.stub_services import DAY, Monitor, Services, summary

if TYPE_CHECKING:
    from click.testing import Result

Run = Callable[..., "Result"]


def test_status_shows_why_a_service_is_not_ready(rondo: Run) -> None:
    failed = rondo("status", RONDO_MONITOR_URL="http://127.0.0.1:1")
    assert "NOT READY" in failed.stdout
    assert "no answer" in failed.stdout
    assert failed.exit_code == 1


def test_status_shows_a_reason_once(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = {"kafka": "no broker", "postgresql": "ok"}
    monkeypatch.setitem(Services.answers, ("GET", "/readyz"), (200, {"ready": False, "checks": checks}))
    (row,) = [line for line in rondo("status").stdout.splitlines() if line.startswith("kafka")]
    assert row.count("no broker") == 1
    assert "ingestion, trainer, registry, serving: no" in row


def test_status_has_a_row_for_kafka_and_for_postgresql(rondo: Run) -> None:
    rows = [line.split() for line in rondo("status").stdout.splitlines()[1:]]
    assert [row[:2] for row in rows[-2:]] == [["kafka", "ready"], ["postgresql", "unknown"]]
    assert rows[-2][-1] == "127.0.0.1:1"


def test_models_and_status_have_the_window_without_a_verdict_for_programs(rondo: Run) -> None:
    (model,) = orjson.loads(rondo("models", "--json").stdout)
    assert (model["model"], model["monitoring"]["no_verdict"]) == ("late", "336 of 500 rows")
    done = rondo("status", "--json")
    late = orjson.loads(done.stdout)["monitor"]["models"]["late"]
    assert (late["no_verdict"], late["open_alerts"]) == ("336 of 500 rows", ["no_verdict"])
    assert done.exit_code == 0, "the monitor is ready"


@pytest.mark.medium
@pytest.mark.parametrize(
    ("fields", "facts", "open_alerts"),
    [
        ({}, ["judged"], "none"),
        ({"version": 1}, ["judged"], "none"),
        ({"version": 8}, ["judged"], "none"),
        ({"last_window": DAY}, ["judged"], "none"),
        ({"last_window": DAY, "no_verdict": "1 of 9 rows"}, ["no verdict", "1 of 9 rows"], "none"),
        (
            {"no_verdict": "3 of 9 outcomes", "late_outcomes": 1_200},
            ["no verdict", "3 of 9 outcomes", "1,200", "`data.label_delay`"],
            "none",
        ),
        ({"no_verdict": "3 of 9 rows", "late_outcomes": 1_200}, ["no verdict", "3 of 9 rows"], "none"),
        ({"no_verdict": "not monitored: the task is unknown"}, ["not monitored", "unknown"], "none"),
        ({"out_of_reach": "x can't be judged"}, ["judged", "x can't be judged"], "none"),
        (
            {"no_verdict": "1 of 9 rows", "out_of_reach": "x can't be judged"},
            ["no verdict", "1 of 9 rows", "x can't be judged"],
            "none",
        ),
        (
            {"judged_since": {"inputs": DAY, "outputs": DAY, "loss": "2013-03-04T00:00:00Z"}},
            ["inputs", "predictions", "2013-03-01 12:00 UTC", "performance", "2013-03-04 00:00 UTC"],
            "none",
        ),
        (
            {"no_verdict": "1 of 9 outcomes", "judged_since": {"inputs": DAY}},
            ["no verdict", "1 of 9 outcomes", "inputs", "2013-03-01 12:00 UTC"],
            "none",
        ),
        (
            {"unjudged_slices": "slice city=c: 12 of about 300 outcomes"},
            ["judged", "no verdict", "city=c", "12", "300"],
            "none",
        ),
        (
            {"no_verdict": "1 of 9 outcomes", "unjudged_slices": "slice city=c: 12 of about 300 outcomes"},
            ["no verdict", "1 of 9 outcomes", "city=c", "12", "300"],
            "none",
        ),
        ({"open_alerts": ["drift", "no_verdict"]}, ["judged"], "drift, no verdict"),
        (
            {"open_alerts": ["drift", "no_verdict"], "evident_over_models": False},
            ["judged"],
            "drift (weak, no verdict",
        ),
        (
            {"open_alerts": ["coverage"], "not_monitored_share": 1.0},
            ["judged"],
            "coverage, 100%, not monitored",
        ),
        ({"not_monitored_share": 0.001}, ["judged"], "1%, not monitored"),
    ],
)
def test_what_can_be_judged_and_the_alerts_of_a_model(
    rondo: Run, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], facts: list[str], open_alerts: str
) -> None:
    listed = {"models": [summary("late", **fields)]}
    monkeypatch.setitem(Monitor.answers, ("GET", "/v1/models"), (200, listed))
    (row,) = rondo("models").stdout.splitlines()[1:]
    *_, judged, alerts = [cell.strip() for cell in row.rstrip().split("  ") if cell]
    assert [fact for fact in facts if fact not in judged] == []
    assert [fact for fact in open_alerts.split(", ") if fact not in alerts] == []
    assert ("no verdict" in judged) == ("no verdict" in facts)


def test_a_small_share_that_is_not_monitored_is_no_alert(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {"models": [summary("late", not_monitored_share=0.01)]}
    monkeypatch.setitem(Monitor.answers, ("GET", "/v1/models"), (200, listed))
    shown = rondo("status").stdout
    assert ("1%" in shown, "alert:" in shown) == (True, False)


def test_status_has_the_performance_to_be_expected_while_there_is_no_verdict(
    rondo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"value": 0.871, "error": 0.006, "reference": 0.884, "method": "expected", "assumption": "a"}
    estimates = [{"statistic": name, **figures} for name in ("accuracy", "loss", "of-tomorrow")]
    for reason, shown in (("no outcomes yet", True), (None, False)):
        listed = {"models": [summary("late", no_verdict=reason, estimates=estimates)]}
        monkeypatch.setitem(Monitor.answers, ("GET", "/v1/models"), (200, listed))
        found = rondo("status").stdout
        assert ("accuracy 0.871 ± 0.006 (holdout 0.884)" in found) == shown
        assert ("loss" in found, "of-tomorrow" in found) == (False, False)


@pytest.mark.medium
def test_status_has_the_partitions_of_each_replica_of_the_monitor(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {"seen_at": DAY}
    alone = [{"replica": "a", "partitions": [0, 1, 2], "models": 7, **seen}]
    both = [*alone, {"replica": "b", "partitions": [], "models": 0, **seen}]
    cases: list[tuple[list[dict[str, Any]], list[int], list[str]]] = [
        (alone, [], []),
        (alone, [3], ["partition 3 "]),
        (both, [3, 4], ["replica a: partitions 0, 1, 2, 7 models", "replica b: no partitions", "partitions 3, 4 "]),
    ]
    for replicas, unassigned, shown in cases:
        found = {"partitions": 5, "unassigned": unassigned, "replicas": replicas}
        monkeypatch.setitem(Monitor.answers, ("GET", "/v1/replicas"), (200, found))
        (row,) = [line for line in rondo("status").stdout.splitlines() if line.startswith("monitor")]
        assert [each for each in shown if each not in row] == []
        assert ("replica a" in row) == (len(replicas) > 1)
        assert orjson.loads(rondo("status", "--json").stdout)["monitor"]["shares"] == found


@pytest.mark.parametrize("monitor_url", ["", "http://127.0.0.1:1"])
def test_without_a_monitor_the_models_are_shown_and_verdicts_are_unknown(rondo: Run, monitor_url: str) -> None:
    (model,) = orjson.loads(rondo("models", "--json", RONDO_MONITOR_URL=monitor_url).stdout)
    assert "monitoring" not in model
    assert "version 2 100%" in rondo("models", RONDO_MONITOR_URL=monitor_url).stdout
    states = orjson.loads(rondo("status", "--json", RONDO_MONITOR_URL=monitor_url).stdout)
    assert (states["monitor"]["models"], states["monitor"]["shares"]) == ({}, None)
    assert not states["monitor"]["ready"]
