"""The ledger and its report, which can fail and then has the reasons."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from rondo.flights.observers.auditor import request_of
from rondo.flights.observers.ledger import Answer, Ledger
from rondo.flights.observers.outages import Outage
from rondo.flights.report.markdown import as_markdown
from rondo.flights.report.report import Report, Retrain
from rondo.flights.report.trainings import Training

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REDEPLOYED = Retrain(2, "drift", "temp PSI 5.41", 8.29, 0.48)
GOOD = Report(
    example="flights",
    metric="roc_auc",
    expected=1000,
    requests=1000,
    answered=1000,
    refused=0,
    lost=(),
    doubled=(),
    unfinished=0,
    retrains=(REDEPLOYED,) * 3,
    trainings=(Training("r2", "drift", "temp PSI 5.41", "version 2 was promoted"),),
    with_loop={3: 0.7, 4: 0.75},
    without_loop={3: 0.7, 4: 0.65},
    seconds_of_replay=77.0,
    training_speed=0.05,
    restarts={},
    versions_served={1: 400, 2: 600},
)


def changed(**changes: object) -> Report:
    return Report(**(GOOD.__dict__ | changes))


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["ask", "answer", "refuse"])), max_size=60))
def test_the_ledger_counts_lost_and_doubled_answers(steps: list[tuple[str, str]]) -> None:
    ledger = Ledger()
    for request, step in steps:
        if step == "ask":
            ledger.add_request(request)
        elif step == "answer":
            ledger.add_answer(request, Answer(1, 0.5), NOW)
        else:
            ledger.add_refusal(request)
    asked = [r for r, s in steps if s == "ask"]
    responses = [r for r, s in steps if s != "ask"]
    assert set(ledger.lost()) == {r for r in asked if r not in responses}
    assert set(ledger.doubled()) == {r for r in responses if responses.count(r) > asked.count(r)}
    assert ledger.open == len(asked) - len(responses)


def test_the_first_prediction_of_a_version_is_the_earliest_however_it_was_read() -> None:
    ledger = Ledger()
    for seconds in (5, 2, 9):
        ledger.add_answer(f"r{seconds}", Answer(2, 0.5), NOW + timedelta(seconds=seconds))
    assert ledger.first_by_version == {2: NOW + timedelta(seconds=2)}
    assert ledger.by_version == {2: 3}


def test_a_run_without_fault_is_a_success() -> None:
    assert (GOOD.exit_code, GOOD.problems) == (0, [])
    text = as_markdown(GOOD)
    assert re.search(r"No prediction .* 3 times\.", text)
    assert "| 1,000 | 1,000 | 0 | 0 | 0 | 77 s |" in text
    assert "| 2 | drift | temp PSI 5.41 | 8.29 s | 0.48 s | 600 |" in text
    assert "| Apr | 0.750 | 0.650 |" in text
    assert "died" not in text


def test_a_request_that_never_reached_kafka_fails_the_run() -> None:
    report = changed(expected=1007)
    assert report.exit_code == 1
    [problem] = report.problems
    assert re.search(r"^1,000 .* 1,007 .*kafka\.log", problem)
    assert "No prediction" not in as_markdown(report)


def test_requests_of_somebody_else_make_no_account_of_this_run() -> None:
    [problem] = changed(expected=400).problems
    assert re.search(r"^1,000 .* 400: other clients", problem)


def test_a_run_without_a_request_is_a_failed_run() -> None:
    report = changed(expected=0, requests=0, answered=0)
    assert report.exit_code == 1
    assert "no request" in report.problems[0]


def test_what_serving_had_left_to_do_fails_the_run() -> None:
    [problem] = changed(unfinished=3).problems
    assert re.search("^serving .* 3 requests", problem)


def test_the_report_has_the_requirements_of_the_run() -> None:
    assert "A success requires 3 of these." in as_markdown(GOOD)
    part = as_markdown(changed(required_redeployments=0, retrains=()))
    assert re.search(r" none of these; .* 3\.", part)


def test_every_training_is_in_the_report_with_its_end() -> None:
    rejected = Training("r3", "drift", "dewp PSI 5.10", "rejected: 0.58")
    text = as_markdown(changed(trainings=(*GOOD.trainings, rejected)))
    assert "| drift | temp PSI 5.41 | version 2 was promoted |" in text
    assert "| drift | dewp PSI 5.10 | rejected: 0.58 |" in text


def test_a_lost_prediction_fails_the_run_and_is_named() -> None:
    report = changed(lost=("20130301-AA1-JFK",))
    assert report.exit_code == 1
    [problem] = report.problems
    assert re.fullmatch("1 .*no answer.* 20130301-AA1-JFK", problem)
    assert "No prediction" not in as_markdown(report)


def test_a_refused_request_fails_the_run_for_the_flights_give_no_cause_to_refuse() -> None:
    report = changed(refused=3)
    assert report.exit_code == 1
    [problem] = report.problems
    assert re.search("^3 .*refused: `rondo failed`", problem)
    assert "No prediction" not in as_markdown(report)


def test_a_dead_letter_that_names_no_request_is_counted_all_the_same() -> None:
    assert [request_of(value) for value in (b"not json", b"[1]", b'{"id": 7}', b"", b'{"id": "a"}')] == [
        "",
        "",
        "",
        "",
        "a",
    ]


def test_a_prediction_answered_twice_fails_the_run() -> None:
    report = changed(doubled=tuple("abcdefg"))
    assert report.exit_code == 1
    [problem] = report.problems
    assert re.fullmatch("7 .*twice.* a, b, c, d, e", problem)


def test_a_version_that_was_promoted_and_never_served_is_no_redeployment() -> None:
    unserved = Retrain(4, "drift", "", None, None)
    report = changed(retrains=(REDEPLOYED, REDEPLOYED, unserved))
    assert report.exit_code == 1
    assert re.search("^2 redeployments .* 3 ", report.problems[0])
    assert "| 4 | drift |  | not served | not served | 0 |" in as_markdown(report)


def test_an_outage_is_reported_with_its_duration() -> None:
    healed, open_ = Outage(("serving", "Kafka"), NOW, 6.24), Outage(("monitor",), NOW + timedelta(seconds=61))
    text = as_markdown(changed(outages=(healed, open_)))
    assert "| 00:00:00 | serving, Kafka | after 6.2 s |" in text
    assert re.search(r"\| 00:01:01 \| monitor \| not .*end \|", text)


def test_the_report_of_a_failed_run_begins_with_its_failure() -> None:
    failed = changed(lost=("a",))
    assert as_markdown(failed).split("\n\n")[2] == f"- {failed.problems[0]}"
