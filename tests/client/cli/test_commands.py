"""The command: what it prints, its JSON, its exit codes, and a clear message for each mistake."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from rondo.client.cli.local import stack
from rondo.embedded.home import locked, mark_kept

from tests.client.stub_services import DAY, QUARANTINED, SPEC, Monitor, Services, summary

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

Run = Callable[..., "Result"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    yield from serving(Services)


@pytest.fixture(scope="module")
def monitor() -> Iterator[str]:
    yield from serving(Monitor)


def serving(services: type[Services]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), services)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def rondo(run: Run, address: str, monitor: str) -> Run:
    """Return a function that runs the command against these services, without Kafka."""
    names = ("REGISTRY", "INGESTION", "SERVING", "TRAINER")
    environment = {f"RONDO_{name}_URL": address for name in names} | {
        "RONDO_MONITOR_URL": monitor,
        "RONDO_KAFKA": "127.0.0.1:1",
        "RONDO_TOKEN": "x",
    }

    def invoke(*arguments: str, stdin: str | None = None, **more: str) -> Result:
        return run(*arguments, stdin=stdin, **environment | more)

    return invoke


@pytest.fixture
def batch(tmp_path: Path) -> str:
    (tmp_path / "january.csv").write_text("id\n1\n")
    (tmp_path / "late.yaml").write_text(SPEC)
    return "january.csv"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("apply late.yaml", "late: revision 1 is in force"),
        (
            "publish trips january.csv --batch-id a",
            (
                "batch a: 3,000 rows accepted, 12 quarantined; trips is at version 4\n"
                "  12 quarantined: distance: below 0\n"
                "`rondo runs early` or `rondo runs late` shows whether a training follows, or why not\n"
            ),
        ),
        ("models", "version 2 100%"),
        ("models", "no verdict: 336 of 500 rows"),
        ("models late", "ROC AUC 0.500 is below 0.600"),
        ("runs", "the disk is full (after 3 attempts)"),
        ("runs late", "drift"),
        ("history late", "2013-03-01 12:00"),
        ("lineage late 1", "drift: temp drifted"),
        ("lineage late 1", "NOT passed: ROC AUC 0.500 is below 0.600"),
        ("promote late 2 --reason better", "late: deployment 2 serves version 2 100%"),
        ("rollback late", "late: deployment 2 serves version 2 100%"),
        ("train late", "late: training requested"),
        ("predict late distance=1 carrier=AA --http --id a", "a  0.2500  (version 2)"),
        ("predict late distance=nan carrier=AA --http --id a", "a  0.2500  (version 2)"),
        ("status", "ready"),
        ("status", "late: no verdict: 336 of 500 rows, alert: no verdict"),
        ("quarantine trips", "  7  distance: below 0"),
        ("remove late --reason obsolete --yes", "late is removed"),
        ("token create ada --role engineer --role reader", "rondo_0123456789ab_secret"),
        ("token create ada --role reader --expires 2027-03-01T12:00:00Z", "rondo_0123456789ab_secret"),
        ("token list", "0123456789ab  ada   engineer, reader  2013-03-01 12:00  valid"),
        ("token list", "revoked 2013-03-01 12:00"),
        ("token rotate 0123456789ab", "rondo_0123456789ab_other"),
        ("token revoke 0123456789ab", "token 0123456789ab is revoked"),
    ],
)
def test_a_command_prints_its_result(rondo: Run, batch: str, command: str, shown: str) -> None:
    done = rondo(*command.split())
    assert shown in done.stdout
    assert done.exit_code == 0
    as_json = rondo(*command.split(), "--json")
    assert orjson.loads(as_json.stdout)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("runs new", "new has no training runs yet: `rondo watch training.started` shows the next one\n"),
        (
            "models new",
            "new has no versions yet: the first training creates version 1, `rondo runs new` shows it\n",
        ),
        ("history new", "new has not served yet: a version serves after its promotion (`rondo models new`)\n"),
    ],
)
def test_a_model_without_history_gets_a_hint(rondo: Run, command: str, shown: str) -> None:
    assert rondo(*command.split()).stdout == shown
    assert orjson.loads(rondo(*command.split(), "--json").stdout) == []


def test_a_batch_that_was_published_before_is_reported(rondo: Run, batch: str) -> None:
    command = ("publish", "trips", "january.csv", "--batch-id")
    assert rondo(*command, "again").stdout == (
        "batch again was published before, at version 4 of trips (3,000 rows accepted, 12 quarantined): nothing was "
        "added\n  12 quarantined: distance: below 0\n"
    )
    repeated = [orjson.loads(rondo(*command, batch_id, "--json").stdout)["repeated"] for batch_id in ("a", "again")]
    assert repeated == [False, True]


WANTED = "send a time from 1900 to a day from now, as RFC 3339 with an offset, such as 2013-03-01T12:00:00Z"


@pytest.mark.parametrize("command", ["predict late --event-time", "outcome late 1 --id a --at", "train late --at"])
def test_an_event_time_without_an_offset_is_refused_as_over_kafka(rondo: Run, command: str) -> None:
    failed = rondo(*command.split(), "2013-03-01T12:00:00", "--json")
    text = orjson.loads(failed.stdout)["message"]
    assert f"`event_time` is 2013-03-01T12:00:00: {WANTED}" in text
    assert failed.exit_code == 2


def test_a_model_is_removed_after_a_confirmation(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rondo.client.cli.promote._interactive", lambda: True)
    asked = ("remove", "late", "--reason", "obsolete")
    declined = rondo(*asked, stdin="n\n")
    assert declined.exit_code == 1
    assert "is removed" not in declined.stdout
    assert "late is removed" in rondo(*asked, stdin="y\n").stdout


def test_a_model_is_not_removed_where_nobody_can_confirm(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rondo("remove", "late", stdin="y\n").exit_code == 2
    monkeypatch.setattr("rondo.client.cli.promote._interactive", lambda: True)
    refused = rondo("remove", "late", "--json", stdin="y\n")
    assert (refused.exit_code, orjson.loads(refused.stdout)["error"]) == (2, "usage")
    assert "add --yes" in orjson.loads(refused.stdout)["message"]
    assert rondo("remove", "late", "--reason", "obsolete", "--json", "--yes").exit_code == 0


def test_a_created_token_is_alone_on_stdout(rondo: Run) -> None:
    created = rondo("token", "create", "ada", "--role", "reader")
    assert created.stdout == "rondo_0123456789ab_secret\n"
    assert "it can't be shown again" in created.stderr


def test_the_token_of_the_command_line_is_used(run: Run) -> None:
    with pytest.MonkeyPatch.context() as patch:
        used: list[str] = []
        patch.setattr("rondo.client.http.transport.HttpTransport.__init__", lambda _, c, __: used.append(c.token))
        unreachable = {f"RONDO_{name}_URL": "http://127.0.0.1:1" for name in ("REGISTRY", "INGESTION", "SERVING")}
        run("--token", "mine", "models", RONDO_KAFKA="127.0.0.1:1", RONDO_TOKEN="x", **unreachable)
    assert [token.get_secret_value() for token in used] == ["mine"]


def test_an_empty_quarantine(rondo: Run) -> None:
    asked = ("quarantine", "trips", "--batch-id", "a", "--last", "5")
    assert rondo(*asked).stdout == "no row of batch a of trips is in quarantine\n"
    assert orjson.loads(rondo(*asked, "--json").stdout) == []


def test_a_warning_goes_to_stderr(rondo: Run, batch: str) -> None:
    assert "warning: slow" in rondo("apply", "late.yaml", "--json").stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("promote new 1", "rondo: there is no model new"),
        ("runs nosuch", "rondo: there is no model 'nosuch'; there are late, new: apply its spec first"),
        (
            "publish trips january.csv --batch-id bad",
            "under the same id or another:\n  no column carrier\n",
        ),
        (
            "publish trips late.yaml --batch-id a",
            "rondo: late.yaml has an unsupported file extension: use one of .parquet, .csv, .jsonl, .ndjson, .arrows,",
        ),
        ("publish trips january.xlsx", "rondo: january.xlsx has an unsupported file extension: use one of .parquet"),
        ("publish trips none.csv", "rondo: none.csv is empty, it has 0 bytes: was it written to its end?"),
        ("predict late distnce=1 --http", "the model has no feature 'distnce': did you mean distance?"),
        ("predict lat distance=1", "rondo: no deployment names the model 'lat': did you mean late?"),
        ("predict late distance=1", "rondo: Kafka can't be reached at 127.0.0.1:1"),
        ("predict late distance=1e400", "rondo: the request can't be sent:\n  distance is inf: send a finite number"),
        ("predict late distance=-inf --http", "rondo: the request can't be sent:\n  distance is -inf: send a finite"),
        ("watch models.promotd", "rondo: there are no events called 'models.promotd': did you mean models.promoted?"),
        ("watch", "rondo: Kafka can't be reached"),
        ("outcome nosuch 1 --id a", "rondo: there is no model 'nosuch'; there are late, new: apply its spec first"),
        ("outcome late 3 --id a", "rondo: 3 is not an outcome of late: its label `late` is 0 or 1, or true or false"),
        ("outcome late nan --id a", "rondo: 'nan' is not an outcome of late: its label `late` is 0 or 1"),
        ("quarantine trps", "rondo: no model has the dataset 'trps'"),
        ("failed", "rondo: Kafka can't be reached"),
        (
            "outcome late 1 --id a --at 2199-03-01T12:00:00Z",
            "rondo: `event_time` is 2199-03-01 12:00:00+00:00: send a time from 1900 to a day from now",
        ),
        ("outcome late 1", "rondo: an outcome names the prediction's id or its entity"),
        ("outcome late 1 --id a", "rondo: Kafka can't be reached"),
        ("predict late --from empty.jsonl", "rondo: Kafka can't be reached"),
    ],
)
def test_a_mistake_gets_one_clear_message(rondo: Run, batch: str, tmp_path: Path, command: str, message: str) -> None:
    (tmp_path / "empty.jsonl").write_text("{}\n")
    (tmp_path / "january.xlsx").write_bytes(b"PK")
    (tmp_path / "none.csv").touch()
    failed = rondo(*command.split())
    assert message in failed.stderr
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert "Traceback" not in failed.stderr
    as_json = rondo(*command.split(), "--json")
    assert f"rondo: {orjson.loads(as_json.stdout)['message']}\n" == as_json.stderr == failed.stderr
    assert as_json.exit_code == 1


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            "publish trips january.csv --batch-id bad",
            {"error": "batch_rejected", "reasons": ["no column carrier"]},
        ),
        ("apply wrong.yaml", {"error": "invalid_spec", "reasons": ["line 3: `featurs` is not a known key"]}),
        ("promote new 1", {"error": "not_found"}),
        ("models late", {"error": "unreachable"}),
        ("remove new --yes", {"error": "forbidden"}),
        ("token create ada --role king", {"error": "usage"}),
        ("predict late distnce=1", {"error": "bad_features", "reasons": ["the model has no feature 'distnce'"]}),
        ("modls", {"error": "usage"}),
        ("apply nowhere.yaml", {"error": "usage"}),
    ],
)
def test_a_failure_is_an_object_for_programs(
    rondo: Run, batch: str, tmp_path: Path, command: str, expected: Any
) -> None:
    (tmp_path / "wrong.yaml").write_text(SPEC.replace("features", "featurs"))
    unreachable = {"RONDO_REGISTRY_URL": "http://127.0.0.1:1"} if command == "models late" else {}
    failed = rondo(*command.split(), "--json", **unreachable)
    text = orjson.loads(failed.stdout)
    assert text["error"] == expected["error"]
    assert [each for each in expected.get("reasons", []) if each not in "\n".join(text["reasons"])] == []
    assert failed.exit_code == (2 if expected["error"] == "usage" else 1)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("apply nowhere.yaml", "file 'nowhere.yaml' does not exist"),
        ("watch --since yesterday", "'yesterday' is not a time"),
        ("demo --until 13", "less than or equal to 12"),
        ("demo --kill-each --against-running", "leave out --against-running"),
        ("demo --speed 0", "greater than or equal to 0.01"),
        ("modls", "No such command 'modls'"),
    ],
)
def test_wrong_usage_exits_with_2(rondo: Run, command: str, message: str) -> None:
    failed = rondo(*command.split())
    assert message in " ".join(failed.stderr.replace("│", " ").split())
    assert failed.exit_code == 2


def test_a_spec_with_faults_names_their_lines(rondo: Run, tmp_path: Path) -> None:
    (tmp_path / "rondo.yaml").write_text(SPEC.replace("features", "featurs"))
    failed = rondo("apply", "rondo.yaml")
    assert "rondo.yaml can't be used:" in failed.stderr
    assert "line 3: `featurs` is not a known key: did you mean `features`?" in failed.stderr
    assert failed.exit_code == 1


def test_a_typo_in_a_spec_is_reported_also_where_no_rondo_runs(run: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(SPEC.replace("features", "featurs"))
    failed = run("apply", "wrong.yaml")
    assert failed.exit_code == 1
    assert "line 3: `featurs` is not a known key: did you mean `features`?" in failed.stderr


def test_a_spec_that_is_not_text_is_refused(rondo: Run, tmp_path: Path) -> None:
    (tmp_path / "rondo.yaml").write_bytes(b"\xff\xfe")
    assert "rondo.yaml is not UTF-8 text (byte 0)" in rondo("apply", "rondo.yaml").stderr


def test_without_a_stack_the_message_names_the_command_that_starts_one(run: Run) -> None:
    failed = run("models")
    home = "/.rondo (set RONDO_HOME to name another): start one here with `rondo up`, or set RONDO_KAFKA"
    assert home in failed.stderr
    assert failed.exit_code == 1


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
    assert "ingestion, trainer, registry, serving: no broker" in row


def test_a_row_is_one_line_without_a_terminal(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    content = orjson.dumps({"text": "word " * 2_000}).decode()
    monkeypatch.setitem(
        Services.answers,
        ("GET", "/v1/datasets/trips/quarantine?limit=20"),
        (200, {"rows": [QUARANTINED | {"content": content}]}),
    )
    head, row = rondo("quarantine", "trips").stdout.splitlines()
    assert head.split() == ["batch", "row,", "from", "0", "reason", "content"]
    assert content in row


@pytest.mark.parametrize(("model", "code"), [("nosuch", 1), ("new", 0)])
@pytest.mark.parametrize("option", ["", "--outcomes"])
def test_the_refused_requests_of_an_unknown_model(
    rondo: Run, monkeypatch: pytest.MonkeyPatch, model: str, code: int, option: str
) -> None:
    async def none(*_: object, **__: object) -> AsyncIterator[None]:
        for nothing in ():
            yield nothing

    monkeypatch.setattr("rondo.client.AsyncRondo.failed", none)
    done = rondo("failed", model, *option.split())
    assert done.exit_code == code
    assert ("there is no model 'nosuch'" in done.stderr) == (model == "nosuch")


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


@pytest.mark.parametrize(
    ("fields", "last_window", "open_alerts"),
    [
        ({}, "none closed yet", "none"),
        ({"last_window": DAY}, "decided", "none"),
        ({"last_window": DAY, "no_verdict": "1 of 9 rows"}, "no verdict: 1 of 9 rows", "none"),
        (
            {"no_verdict": "3 of 9 outcomes", "late_outcomes": 1_200},
            "no verdict: 3 of 9 outcomes (1,200 outcomes arrived after their window closed: raise `data.label_delay`)",
            "none",
        ),
        ({"no_verdict": "3 of 9 rows", "late_outcomes": 1_200}, "no verdict: 3 of 9 rows", "none"),
        ({"no_verdict": "not monitored: the task is unknown"}, "not monitored: the task is unknown", "none"),
        ({"open_alerts": ["drift", "no_verdict"]}, "none closed yet", "drift, no verdict"),
        (
            {"open_alerts": ["coverage"], "not_monitored_share": 1.0},
            "none closed yet",
            "coverage, 100% of the newest requests not monitored",
        ),
        ({"not_monitored_share": 0.001}, "none closed yet", "1% of the newest requests not monitored"),
    ],
)
def test_the_last_window_and_the_alerts_of_a_model(
    rondo: Run, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], last_window: str, open_alerts: str
) -> None:
    listed = {"models": [summary("late", **fields)]}
    monkeypatch.setitem(Monitor.answers, ("GET", "/v1/models"), (200, listed))
    (row,) = rondo("models").stdout.splitlines()[1:]
    assert [cell.strip() for cell in row.rstrip().split("  ") if cell][-2:] == [last_window, open_alerts]


@pytest.mark.parametrize(
    ("newest", "options", "noted"),
    [
        ("2013-03-01T12:00:00Z", "", "warning: no --event-time: the request counts as asked now, and the newest one"),
        (None, "", "no --event-time: the request counts as asked now, at 20"),
        ("2199-03-01T12:00:00Z", "", ""),
        ("2013-03-01T12:00:00Z", "--event-time 2013-03-02T12:00:00Z", ""),
    ],
)
def test_a_request_without_an_event_time_is_asked_now(
    rondo: Run, monkeypatch: pytest.MonkeyPatch, newest: str | None, options: str, noted: str
) -> None:
    listed = {"models": [summary("late", watermark=newest)]}
    monkeypatch.setitem(Monitor.answers, ("GET", "/v1/models"), (200, listed))
    done = rondo("predict", "late", "distance=1", "--http", *options.split())
    assert done.stderr.startswith(noted)
    assert bool(done.stderr) == bool(noted)
    assert done.exit_code == 0


DATASET = ("GET", "/v1/datasets/trips")
KEYS = [{"name": name, "models": ["early", "late"]} for name in ("id", "at", "late")]


@pytest.mark.parametrize(
    ("columns", "version", "features", "warned"),
    [
        (KEYS, 3, "{distance: {type: float}}", "early asked for, without distance: a batch without it is refused"),
        (KEYS[:2], 3, "{distance: {type: float}}", "early asked for, without distance, late: a batch without them"),
        (KEYS, 3, "{distance: {type: float, optional: true}}", ""),
        (KEYS, 0, "{distance: {type: float}}", ""),
        ([*KEYS, {"name": "distance", "models": ["early"]}], 3, "{distance: {type: float}}", ""),
    ],
)
def test_a_required_column_that_the_batches_so_far_lack_is_reported(
    rondo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: Any, version: int, features: str,
    warned: str,
) -> None:  # fmt: skip
    answer = {"columns": columns, "data_version": {"version": version} if version else None}
    monkeypatch.setitem(Services.answers, DATASET, (200, answer))
    (tmp_path / "late.yaml").write_text(SPEC.replace("{distance: {type: float}}", features))
    applied = rondo("apply", "late.yaml", "--json")
    found = [warning for warning in orjson.loads(applied.stdout)["warnings"] if "so far" in warning]
    assert bool(found) == bool(warned)
    assert all(warned in each for each in found)


@pytest.mark.parametrize(("gates", "warned"), [("", "late has no gates"), ("gates: {roc_auc: {min: 0.6}}\n", "")])
def test_a_spec_without_gates_is_reported(rondo: Run, tmp_path: Path, gates: str, warned: str) -> None:
    (tmp_path / "late.yaml").write_text(SPEC + gates)
    assert ("late has no gates" in rondo("apply", "late.yaml").stderr) == bool(warned)


@pytest.mark.parametrize("content", ["", "\n  \n"])
def test_a_file_without_a_request_is_refused(rondo: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "requests.jsonl").write_text(content)
    failed = rondo("predict", "late", "--from", "requests.jsonl", "--json")
    assert (failed.exit_code, orjson.loads(failed.stdout)["error"]) == (1, "no_lines")


@pytest.mark.parametrize("monitor_url", ["", "http://127.0.0.1:1"])
def test_without_a_monitor_the_models_are_shown_and_verdicts_are_unknown(rondo: Run, monitor_url: str) -> None:
    (model,) = orjson.loads(rondo("models", "--json", RONDO_MONITOR_URL=monitor_url).stdout)
    assert "monitoring" not in model
    assert "version 2 100%" in rondo("models", RONDO_MONITOR_URL=monitor_url).stdout
    states = orjson.loads(rondo("status", "--json", RONDO_MONITOR_URL=monitor_url).stdout)
    assert states["monitor"]["models"] == {}
    assert not states["monitor"]["ready"]


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_second_stack_in_the_same_folder_is_refused(run: Run, tmp_path: Path, command: str) -> None:
    with locked(tmp_path / ".rondo"):
        failed = run(command)
    assert "another Rondo runs in" in failed.stderr
    assert "RONDO_HOME=.rondo-2" in failed.stderr
    assert failed.exit_code == 1


def test_a_demo_does_not_delete_kept_data(run: Run, tmp_path: Path) -> None:
    with locked(tmp_path / ".rondo"):
        mark_kept(tmp_path / ".rondo")
    failed = run("demo")
    assert "keeps its data in" in failed.stderr
    assert "RONDO_HOME=.rondo-demo make demo" in failed.stderr
    assert failed.exit_code == 1


def test_down_without_a_stack(run: Run) -> None:
    assert run("down").stdout == "no Rondo runs here\n"
    assert orjson.loads(run("down", "--json").stdout) == {"stopped": None}


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rondo.embedded", None)
    with (
        pytest.raises(stack.NotInstalledError, match="needs the package rondo-embedded: install it"),
        stack.translated(),
    ):
        pass


def test_help_names_every_command(run: Run) -> None:
    shown = run("--help").stdout
    for name in (
        "up",
        "down",
        "demo",
        "apply",
        "publish",
        "predict",
        "watch",
        "models",
        "promote",
        "rollback",
        "lineage",
    ):
        assert f" {name} " in shown
