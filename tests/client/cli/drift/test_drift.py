"""`rondo drift` shows what the monitor says of a model: for people, for programs, as a report, and over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
import pytest
from rondo.monitor.status.window_detail import window_detail

from tests.client.stub_services import RUN, UNKNOWN, Monitor, Services
from tests.monitor.report.story import story

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

Run = Callable[..., "Result"]
ANSI = "\x1b"
WAITS = "about 1,008 labelled rows are new; a drop is looked into with 1,157"
SKIPPED = RUN | {"state": "skipped", "trigger": {"kind": "performance"}, "detail": f"not_enough_data: {WAITS}"}


def status(**changes: Any) -> dict[str, Any]:
    seen: dict[str, Any] = story().status.model_dump(mode="json")
    return seen | changes


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets the monitor's answer for a path below that of the model `loans`."""

    def answer(path: str, body: Any, code: int = 200) -> None:
        monkeypatch.setitem(Monitor.answers, ("GET", f"/v1/models/{path}"), (code, body))

    monkeypatch.setitem(Services.answers, ("GET", "/v1/runs?model=loans"), (200, {"runs": [SKIPPED]}))
    answer("loans/drift", status())
    answer("nosuch/drift", UNKNOWN, 404)
    return answer


def parts(text: str) -> dict[str, list[str]]:
    """Return the lines of each part by its heading. The verdict is before the first one."""
    first, *others = text.rstrip("\n").split("\n\n")
    return {"": first.splitlines()} | {other.splitlines()[0]: other.splitlines()[1:] for other in others}


@pytest.mark.medium
def test_the_parts_say_what_changed_since_when_and_how_sure_it_is(rondo: Run, answers: Any) -> None:
    done = rondo("drift", "loans")
    assert (done.exit_code, ANSI in done.stdout) == (0, False)
    found = parts(done.stdout)
    assert " ".join(found[""]) == status()["verdict"]["sentence"]
    changed = "\n".join(found["What has changed"])
    (x,) = (each for each in status()["columns"] if each["column"] == "x")
    assert "values are higher" in changed
    assert f"since {x['since'][:10]}" in changed
    assert f"10^{x['evidence']:.1f} of 10^{x['threshold']:.1f}" in changed
    assert any(set(line) & set("▁▂▃▄▅▆▇█") for line in found["What has changed"])
    assert {"city", "output.score"} <= {line.split()[0] for line in found["No evident change"][1:]}
    assert "1,000 rows" in found["Newest rows"][0]
    assert "ROC AUC" in "".join(found["Performance"])
    loss = status()["loss"]
    assert f"{loss['value']:.3f} on {loss['labelled_rows']:,} outcomes" in found["Loss"][0]
    assert f"between {loss['low']:.3f} and {loss['high']:.3f}" in " ".join(" ".join(found["Loss"]).split())
    estimated = " ".join(found["Performance, estimated"])
    assert [word for word in ("ROC AUC", "accuracy", "±", "holdout") if word not in estimated] == []
    (assumption,) = {each["assumption"] for each in status()["newest"]["estimates"]}
    assert assumption in " ".join(estimated.split())
    assert "Not judged yet" not in found
    judged = " ".join(" ".join(found["Judged"]).split())
    since = status()["judged_since"]
    assert f"performance since {since['loss'][:10]} {since['loss'][11:16]} UTC" in judged
    assert judged.startswith("inputs and predictions since ")


def test_the_coverage_of_the_interval_is_shown_beside_that_of_the_holdout(rondo: Run, answers: Any) -> None:
    coverage = {"statistic": "interval_coverage", "feature": None, "value": 0.853, "reference": 0.901}
    closed = status()["newest_closed"] or status()["newest"]
    answers("loans/drift", status(newest_closed=closed | {"statistics": [coverage]}))
    shown = " ".join(parts(rondo("drift", "loans").stdout)["Performance"])
    assert [word for word in ("coverage", "0.853", "0.901") if word not in shown] == []


def test_what_the_trainer_does_about_a_change_follows(
    rondo: Run, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = " ".join(" ".join(parts(rondo("drift", "loans").stdout)["Retraining"]).split())
    assert WAITS in shown
    assert shown.startswith("skipped ")
    assert "because of performance" in shown
    monkeypatch.setitem(
        Services.answers, ("GET", "/v1/runs?model=loans"), (503, {"code": "unavailable", "detail": "no"})
    )
    unknown = rondo("drift", "loans")
    assert unknown.exit_code == 0
    assert parts(unknown.stdout)["Retraining"][0].startswith("  not known: ")
    answers("loans/drift", status(columns=[]))
    assert "Retraining" not in parts(rondo("drift", "loans").stdout)


def test_what_the_model_hardly_relies_on_is_named_last_with_its_importance(rondo: Run, answers: Any) -> None:
    columns = status()["columns"]
    (x,) = (each for each in columns if each["column"] == "x")
    little = {"importance": {"feature": "x", "loss_increase": 0.0012, "error": 0.0004}, "hardly_used": True}
    weaker = x | {"column": "age", "evidence": x["threshold"]}
    columns = [x | little, weaker, *(each for each in columns if each["column"] != "x")]
    answers("loans/drift", status(columns=columns))
    changed = parts(rondo("drift", "loans").stdout)["What has changed"]
    assert [line.strip() for line in changed if line.strip() in {"x", "age"}] == ["age", "x"]
    assert "0.001 ± 0.000" in " ".join(" ".join(changed).split())


def test_the_text_has_at_most_eighty_columns(rondo: Run, answers: Any) -> None:
    long = [each | {"column": f"a_rather_long_name_of_{each['column']}"} for each in status()["columns"]]
    names = {each["column"]: f"a_rather_long_name_of_{each['column']}" for each in status()["newest"]["columns"]}
    newest = status()["newest"]
    newest["columns"] = [each | {"column": names[each["column"]]} for each in newest["columns"]]
    answers("loans/drift", status(columns=long, newest=newest))
    assert max(map(len, rondo("drift", "loans").stdout.splitlines())) <= 80


def test_what_is_not_judged_has_its_progress_and_when_it_is_expected(rondo: Run, answers: Any) -> None:
    waiting = {
        "judged": False, "rows": 336, "needed": 1_500, "expected": "2013-03-07T10:00:00Z", "since": None, "change": None
    }  # fmt: skip
    columns = [each | (waiting if each["column"] in {"city", None} else {}) for each in status()["columns"]]
    answers("loans/drift", status(columns=columns))
    lines = parts(rondo("drift", "loans").stdout)["Not judged yet"]
    assert [line.split()[0] for line in lines] == ["city", "performance"]
    assert "336 of about 1,500 rows, expected on 2013-03-07 10:00 UTC" in lines[0]
    assert "336 of about 1,500 outcomes" in lines[1]


def test_what_waiting_does_not_help_has_no_progress(rondo: Run, answers: Any) -> None:
    never = {"judged": False, "since": None, "rows": 768, "needed": 214_136_338, "expected": None, "out_of_reach": True}
    columns = [each | (never if each["column"] == "city" else {}) for each in status()["columns"]]
    answers("loans/drift", status(columns=columns, out_of_reach="city can't be judged: a long cycle"))
    shown = rondo("drift", "loans").stdout
    assert parts(shown)["Can't be judged"] == ["  city can't be judged: a long cycle"]
    assert ("214,136,338" in shown, "Not judged yet" in shown) == (False, False)


def test_an_input_may_be_named_as_the_loss_is_shown(rondo: Run, answers: Any) -> None:
    waiting = {"judged": False, "since": None, "change": None}
    names = {"x": "performance"}
    columns = [each | waiting | {"column": names.get(each["column"], each["column"])} for each in status()["columns"]]
    answers("loans/drift", status(columns=columns))
    lines = parts(rondo("drift", "loans").stdout)["Not judged yet"]
    assert [line.split()[0] for line in lines] == ["performance", "city", "output.score", "performance"]


def test_a_model_without_anything_yet_has_its_reason(rondo: Run, answers: Any) -> None:
    nothing = {"columns": [], "loss": None, "newest": None, "newest_closed": None, "no_verdict": "no rows yet"}
    answers("loans/drift", status(**nothing))
    assert parts(rondo("drift", "loans").stdout)["Not judged yet"] == ["  no rows yet"]


def test_names_from_outside_do_not_control_the_terminal(rondo: Run, answers: Any) -> None:
    columns = [each | {"column": f"\x1b[31m{each['column']}\x07"} for each in status()["columns"]]
    verdict = {"state": "changed", "sentence": "\x1b]0;title\x07changed"}
    answers("loans/drift", status(columns=columns, verdict=verdict))
    shown = rondo("drift", "loans").stdout
    assert {character for character in shown if not character.isprintable()} == {"\n"}


def test_many_columns_are_cut_off(rondo: Run, answers: Any) -> None:
    (city,) = (each for each in status()["columns"] if each["column"] == "city")
    answers("loans/drift", status(columns=[city | {"column": f"c{n}"} for n in range(300)]))
    lines = parts(rondo("drift", "loans").stdout)["No evident change"]
    assert len(lines) == 22
    assert "280 more" in lines[-1]


def test_programs_get_the_answer_of_the_monitor(rondo: Run, answers: Any) -> None:
    assert orjson.loads(rondo("drift", "loans", "--json").stdout) == status()


def test_a_report_is_written_into_a_file(rondo: Run, answers: Any, tmp_path: Path) -> None:
    answers("loans/report", "<html>")
    assert rondo("drift", "loans", "--html", "report.html").exit_code == 0
    assert (tmp_path / "report.html").read_text() == '"<html>"'
    done = rondo("drift", "loans", "--html", "report.html", "--json")
    assert orjson.loads(done.stdout) == {"model": "loans", "file": "report.html"}
    refused = rondo("drift", "loans", "--html", "nosuch/report.html", "--json")
    assert (refused.exit_code, orjson.loads(refused.stdout)["error"]) == (1, "unwritable_file")


def test_the_history_has_the_last_windows(rondo: Run, answers: Any) -> None:
    windows = [each.model_dump(mode="json") for each in story().windows]
    answers("loans/windows?limit=7", {"windows": windows[:5], "next": 5})
    answers("loans/windows?limit=2&before=5", {"windows": windows[5:7], "next": 3})
    head, *rows = rondo("drift", "loans", "--history", "--last", "7").stdout.splitlines()
    assert head.split()[:4] == ["from", "version", "rows", "outcomes"]
    assert "accuracy, estimated" in head
    assert head.index("ROC AUC, estimated") < head.rindex("ROC AUC")
    assert [row[:10] for row in rows] == [each["start"][:10] for each in windows[:7]]
    assert [row.count("!") for row in (rows[0], rows[-1])] == [2, 0], "inputs and performance alarm in the newest"
    listed = rondo("drift", "loans", "--history", "--last", "7", "--json")
    assert orjson.loads(listed.stdout) == windows[:7]
    answers("loans/windows?limit=20", {"windows": [], "next": None})
    assert "`rondo drift loans`" in rondo("drift", "loans", "--history").stdout


def test_the_history_of_a_time_has_all_windows_that_begin_in_it(rondo: Run, answers: Any) -> None:
    windows = [each.model_dump(mode="json") for each in story().windows]
    since, until = windows[-3]["start"], windows[0]["start"]
    query = f"since={quote(since)}&until={quote(until)}"
    answers(f"loans/windows?limit=200&{query}", {"windows": windows[1:4], "next": 6})
    left = windows[4:-2]
    answers(f"loans/windows?limit=200&before=6&{query}", {"windows": left, "next": None})
    day = since[:10]
    listed = rondo("drift", "loans", "--history", "--since", day, "--until", until, "--json")
    assert orjson.loads(listed.stdout) == windows[1:-2]
    answers(f"loans/windows?limit=1&{query}", {"windows": [windows[0], windows[1]], "next": None})
    listed = rondo("drift", "loans", "--history", "--since", since, "--until", until, "--last", "1", "--json")
    assert orjson.loads(listed.stdout) == [windows[1]], "as an earlier monitor answers"
    answers("loans/windows?limit=200&since=2200-01-01T00%3A00%3A00Z", {"windows": [], "next": None})
    assert "loans --history" in rondo("drift", "loans", "--history", "--since", "2200-01-01").stdout


def windows_of_two_versions(answers: Any, until: str) -> tuple[dict[str, Any], str]:
    """Let the monitor answer about the newest window of the story. Returns it, and the path below that of the model."""
    detail = window_detail(story().kept[0]).model_dump(mode="json")
    newest = story().windows[0].model_dump(mode="json")
    replaced = newest | {"role": "replaced", "model_version": 9}
    older = story().windows[1].model_dump(mode="json")
    answers(f"loans/windows?limit=40&until={quote(until)}", {"windows": [replaced, newest, older], "next": None})
    return detail, f"loans/windows/1/{quote(newest['start'])}"


def test_the_window_that_has_a_time_is_shown_with_its_distributions(rondo: Run, answers: Any, tmp_path: Path) -> None:
    day = story().windows[0].start
    detail, path = windows_of_two_versions(answers, f"{day:%Y-%m-%dT%H:%M:%S}.000001Z")
    answers(path, detail)
    answers(f"{path}/report", "<html>")
    found = parts(rondo("drift", "loans", "--window", f"{day:%Y-%m-%d}").stdout)
    assert [each for each in ("loans", "version 1", f"{day:%Y-%m-%d}", "1,000 rows") if each not in found[""][0]] == []
    assert any("ROC AUC" in line for line in found["Performance"])
    assert next(line.split()[0] for line in found["Distributions"][1:]) == "x"
    assert any(set(line) & set("▁▂▃▄▅▆▇█") for line in found["Distributions"])
    assert orjson.loads(rondo("drift", "loans", "--window", f"{day:%Y-%m-%d}", "--json").stdout) == detail
    assert rondo("drift", "loans", "--window", f"{day:%Y-%m-%d}", "--html", "window.html").exit_code == 0
    assert (tmp_path / "window.html").read_text() == '"<html>"'
    reason = "an earlier release has closed it"
    answers(path, detail | {"columns": [], "no_columns": reason})
    assert parts(rondo("drift", "loans", "--window", f"{day:%Y-%m-%d}").stdout)["Distributions"] == [f"  {reason}"]


def test_a_time_without_a_closed_window_is_refused(rondo: Run, answers: Any) -> None:
    windows_of_two_versions(answers, "2030-01-01T00:00:00.000001Z")
    refused = orjson.loads(rondo("drift", "loans", "--window", "2030-01-01", "--json").stdout)
    assert refused["error"] == "unknown_window"
    assert [each for each in ("loans", "2030-01-01", "--history") if each not in refused["message"]] == []


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        (["--since", "2024-03-01"], ["--history"]),
        (["--history", "--window", "2024-03-01"], ["--window", "--history"]),
        (["--window", "soon"], ["'soon'"]),
        (["--history", "--since", "soon"], ["'soon'", "2024-03-01T12:00:00Z"]),
        (["--history", "--until", "2024-03-01T12:00"], ["offset"]),
        (["--history", "--since", "2024-03-02", "--until", "2024-03-01"], ["2024-03-02", "2024-03-01"]),
    ],
)
def test_a_time_of_the_history_that_makes_no_sense_is_refused(
    rondo: Run, arguments: list[str], facts: list[str]
) -> None:
    refused = rondo("drift", "loans", *arguments, "--json")
    assert (refused.exit_code, orjson.loads(refused.stdout)["error"]) == (2, "usage")
    assert [each for each in facts if each not in orjson.loads(refused.stdout)["message"]] == []


def test_the_window_of_a_replaced_version_is_marked_and_stands_beside_that_of_the_next_one(
    rondo: Run, answers: Any
) -> None:
    window = story().windows[0].model_dump(mode="json")
    before = window | {"role": "replaced", "evidence": []}
    answers("loans/windows?limit=20", {"windows": [window | {"model_version": 2}, before], "next": None})
    _, *rows = rondo("drift", "loans", "--history").stdout.splitlines()
    assert [row.split("  ")[0] for row in rows] == [rows[0].split("  ")[0]] * 2
    assert ["1, replaced" in row for row in rows] == [False, True]
    answers("loans/windows?limit=20", {"windows": [{k: v for k, v in window.items() if k != "role"}], "next": None})
    assert "replaced" not in rondo("drift", "loans", "--history").stdout, "as an earlier monitor answers"


def test_the_history_has_the_errors_and_the_latency_of_a_window_where_they_are_known(rondo: Run, answers: Any) -> None:
    window = story().windows[0].model_dump(mode="json")
    cost = {"error_share": 0.02, "latency_p95": 0.0042}
    answers("loans/windows?limit=20", {"windows": [window | {"cost": cost}, window], "next": None})
    head, first, second = rondo("drift", "loans", "--history").stdout.splitlines()
    assert head.split()[-3:] == ["errors", "p95", "ms"]
    assert first.split()[-2:] == ["2.0%", "4.2"]
    assert "%" not in second.split()[-1]
    answers("loans/windows?limit=20", {"windows": [window], "next": None})
    assert "p95" not in rondo("drift", "loans", "--history").stdout


def test_how_many_requests_come_stands_below_the_streams(rondo: Run, answers: Any) -> None:
    sentence = (
        "312 requests in the 24 h from 2024-03-04 00:00 UTC; 2,890 to 3,140 in the same hours of the weeks before"
    )
    stream = {"newest": "2024-03-05T00:00:00Z", "silent_seconds": 1.0, "stopped": False}
    streams = {"requests": stream | {"longest_gap_seconds": None, "limit_seconds": None}}
    answers("loans/drift", status(streams=streams, volume={"strange": True, "sentence": sentence}))
    lines = parts(rondo("drift", "loans").stdout)["Streams"]
    assert " ".join(" ".join(lines).split()).endswith(sentence)


def test_a_replaced_version_has_its_open_windows(rondo: Run, answers: Any) -> None:
    open_one = {"version": 1, "windows": 2, "rows": 1_400, "labelled_rows": 3, "closes": "2024-01-11T02:00:00Z"}
    answers("loans/drift", status(replaced=[open_one]))
    (line,) = parts(rondo("drift", "loans").stdout)["Replaced versions"]
    assert [each for each in ("version 1", "1,400 rows", "3 outcomes", "2024-01-11 02:00") if each not in line] == []
    answers("loans/drift", {name: each for name, each in status().items() if name != "replaced"})
    assert "Replaced versions" not in parts(rondo("drift", "loans").stdout)


def test_wanted_outcomes_are_lines_that_are_filled_in_and_sent(rondo: Run, answers: Any) -> None:
    named = [{"id": each, "predicted_at": "2024-01-01T00:00:00Z", "probability": 0.5} for each in ("a", 'b"')]
    answer = {"model": "loans", "version": 1, "budget": 7, "unlabelled": 90, "wanted": named}
    answers("loans/labels/wanted?budget=7&uncertain=true", answer)
    done = rondo("labels", "loans", "--budget", "7", "--uncertain")
    assert [orjson.loads(line) for line in done.stdout.splitlines()] == [
        {"id": "a", "outcome": None}, {"id": 'b"', "outcome": None}
    ]  # fmt: skip
    assert orjson.loads(rondo("labels", "loans", "--budget", "7", "--uncertain", "--json").stdout) == answer


def test_an_unknown_model_and_contradicting_options_are_refused(rondo: Run, answers: Any) -> None:
    assert orjson.loads(rondo("drift", "nosuch", "--json").stdout)["error"] == "not_found"
    refused = rondo("drift", "loans", "--html", "a.html", "--history", "--json")
    assert (refused.exit_code, orjson.loads(refused.stdout)["error"]) == (2, "usage")


def test_each_stream_has_its_newest_row_and_when_an_alert_would_follow(rondo: Run, answers: Any) -> None:
    judged = {
        "newest": "2024-03-01T12:00:00Z", "silent_seconds": 120.0, "longest_gap_seconds": 2_400.0,
        "limit_seconds": 4_800.0, "lag_seconds": 0.0, "lag_limit_seconds": None, "stopped": False,
    }  # fmt: skip
    answers(
        "loans/drift",
        status(streams={"requests": judged, "outcomes": judged | {"limit_seconds": None, "longest_gap_seconds": None}}),
    )
    lines = parts(rondo("drift", "loans").stdout)["Streams"]
    assert [line.split()[0] for line in (lines[0], lines[2])] == ["requests", "outcomes"]
    assert "2024-03-01 12:00 UTC, silent for 2 min" in lines[0]
    assert ("longest gap 40 min" in lines[1], "after 80 min" in lines[1]) == (True, True)
    assert "week" in lines[3]


def test_what_counts_in_no_window_is_listed_with_why(rondo: Run, answers: Any) -> None:
    assert "Not counted" not in parts(rondo("drift", "loans").stdout)
    said = ["1,200 requests came after their window had closed: they are in no figure", "7 outcomes\x1b are late"]
    answers("loans/drift", status(not_counted=said))
    found = parts(rondo("drift", "loans").stdout)["Not counted"]
    assert found[0].startswith("  1,200 requests")
    assert ANSI not in "".join(found)
    older = {name: each for name, each in status().items() if name != "not_counted"}
    answers("loans/drift", older)
    assert rondo("drift", "loans").exit_code == 0


def test_a_slice_is_named_by_its_column_and_value(rondo: Run, answers: Any) -> None:
    loss = next(each for each in status()["columns"] if each["group"] == "loss")
    slices = [loss | {"group": "slices", "column": "city", "value": value} for value in ("a", "")]
    waits = loss | {"group": "slices", "column": "city", "value": "b", "since": None, "judged": False}
    answers("loans/drift", status(columns=[*slices, waits]))
    found = parts(rondo("drift", "loans").stdout)
    assert {"  city a", "  city (missing)"} <= set(found["What has changed"])
    (line,) = found["Not judged yet"]
    assert line.startswith("  city b")
    assert "outcomes" in line
    assert not any("training" in line for line in found["What has changed"]), "a slice has no distribution"


def test_repeated_requests_have_their_share_and_that_of_the_training(rondo: Run, answers: Any) -> None:
    window = {"start": "2024-03-01T00:00:00Z", "end": "2024-03-02T00:00:00Z", "rows": 9_000, "requests": 0.204}
    shares = {"error": 0.012, "features": 0.31, "newest_features": 0.25, "training": 0.021}
    answers("loans/drift", status(repeats={**window, **shares}))
    text = " ".join(" ".join(parts(rondo("drift", "loans").stdout)["Repeated requests"]).split())
    wanted = ("2024-03-01 00:00 to 2024-03-02 00:00", "20.4% ± 1.2% of 9,000", "25.0%", "2.1% in the training")
    assert [each for each in wanted if each not in text] == []
    few = {"error": 0.0, "requests": None, "newest_features": None, "training": None, "features": 0.5}
    answers("loans/drift", status(repeats={**window, **few}))
    lines = parts(rondo("drift", "loans").stdout)["Repeated requests"]
    assert [line.split()[0] for line in lines] == ["2024-03-01", "50.0%"]
    answers("loans/drift", status(repeats=None))
    assert "Repeated requests" not in parts(rondo("drift", "loans").stdout)


def test_values_that_were_published_differently_have_examples(rondo: Run, answers: Any) -> None:
    example = {"entity": "r7", "event_time": "2024-03-01T12:00:00Z", "served": "107.0", "published": None}
    x = {"feature": "x", "cases": 200, "differing": 80, "skewed": True, "largest": [example]}
    skew = {"batches": 2, "since": "2024-03-01T00:00:00Z", "until": "2024-03-02T00:00:00Z", "served": 240}
    answers("loans/drift", status(skew={**skew, "cases": 200, "features": [x]}))
    lines = parts(rondo("drift", "loans").stdout)["Served and published"]
    text = " ".join(" ".join(lines).split())
    wanted = ("200 of 240", "x differs in 40.0% of 200", "107.0", "r7 at 2024-03-01 12:00")
    assert [each for each in wanted if each not in text] == []
    answers("loans/drift", status(skew={**skew, "cases": 0, "features": []}))
    assert "none of 240" in parts(rondo("drift", "loans").stdout)["Served and published"][0]
    answers("loans/drift", status(skew=None))
    assert "Served and published" not in parts(rondo("drift", "loans").stdout)


def test_slices_have_their_figures_beside_the_holdout_and_groups_their_gaps(rondo: Run, answers: Any) -> None:
    closed = status()["newest_closed"]
    lines = parts(rondo("drift", "loans").stdout)["Slices"]
    assert [line.split()[:2] for line in lines[:3]] == [["city", "a"], ["city", "b"], ["city", "c"]]
    (a, *_) = closed["slices"]
    assert f"{a['labelled_rows']:,} outcomes" in lines[0]
    assert all(f"{figures['roc_auc']:.3f}" in lines[0] for figures in (a["figures"], a["reference"]))
    (gap,) = (each for each in closed["gaps"] if each["figure"] == "selection_rate")
    assert any(f"selection rate {gap['gap']:.3f}" in line for line in lines)
    windows = [each.model_dump(mode="json") for each in story().windows]
    answers("loans/windows?limit=20", {"windows": windows, "next": None})
    head, first, *_ = rondo("drift", "loans", "--history").stdout.splitlines()
    assert "selection rate gap by city" in head
    assert f"{next(g['gap'] for g in windows[0]['gaps'] if g['figure'] == 'selection_rate'):.3f}" in first
    answers("loans/drift", status(newest_closed=closed | {"slices": [], "gaps": []}))
    assert "Slices" not in parts(rondo("drift", "loans").stdout)


def test_candidates_are_below_the_sentence_about_the_champion(rondo: Run, answers: Any) -> None:
    verdict = {"state": "changed", "sentence": "1 of the 2 inputs of loans (version 4) has changed."}
    answers("loans/drift", status(candidates=[{"role": "canary", "version": 4, "verdict": verdict}]))
    first = " ".join(parts(rondo("drift", "loans").stdout)[""])
    assert first == f"{status()['verdict']['sentence']} canary: {verdict['sentence']}"


def test_the_cost_of_each_version_marks_its_estimate(rondo: Run, answers: Any) -> None:
    cost = {
        "version": 3, "predictions": 12_000, "errors": 2, "latency_p50": 0.0011, "latency_p95": 0.0042,
        "latency_p99": 0.0138, "memory_bytes": 210_000_000, "cpu_seconds": 0.0315, "emissions_grams": 0.0000168,
    }  # fmt: skip
    answers("loans/drift", status(costs=[cost]))
    text = " ".join(line.strip() for line in parts(rondo("drift", "loans").stdout)["Cost"])
    for shown in ("version 3", "12,000", "2 errors", "1.1/4.2/13.8 ms", "210 MB", "0.0315 s", "estimate", "0.017 mg"):
        assert shown in text
    nothing = cost | dict.fromkeys(("latency_p50", "memory_bytes", "cpu_seconds", "emissions_grams"))
    answers("loans/drift", status(costs=[nothing]))
    assert parts(rondo("drift", "loans").stdout)["Cost"] == ["  version 3: 12,000 predictions, 2 errors"]
