"""The command: what it prints, its JSON and its exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from rondo.client import event_times
from rondo.client.errors import NotFoundError
from rondo.client.http.ingestion import IngestionClient
from rondo.client.http.registry import RegistryClient

from tests.client.stub_services import (
    APPLIED_DATASET,
    DATASET_SPEC,
    DIGEST,
    GATE,
    LINEAGE,
    PERIOD,
    QUARANTINED,
    RUN,
    SPEC,
    TOKEN,
    VERSION,
    WEATHER,
    Monitor,
    Services,
    summary,
)

if TYPE_CHECKING:
    from click.testing import Result

Run = Callable[..., "Result"]


@pytest.mark.medium
@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("apply late.yaml", "late: revision 1 is in force"),
        (
            "publish trips january.csv --batch-id a",
            (
                "batch a: 3,000 rows accepted, 12 quarantined; trips is at version 4\n"
                "  12 quarantined: distance: below 0, such as row 8 with -1\n"
                "  `rondo quarantine trips --batch-id a` shows these rows\n"
                "`rondo runs early` or `rondo runs late` shows whether a training follows, or why not\n"
            ),
        ),
        ("models", "version 2 100%"),
        ("models", "no verdict yet: 336 of 500 rows"),
        ("models late", "ROC AUC 0.500 is below 0.600"),
        ("runs", "the disk is full (after 3 attempts)"),
        ("runs late", "drift"),
        ("history late", "2013-03-01 12:00"),
        ("models late", "rejected  ROC AUC 0.500"),
        ("lineage late 1", "drift: temp drifted"),
        ("lineage late 1", "the feature 'distance' is 7.0 everywhere"),
        ("lineage late 1", "lightgbm: learning_rate 0.04821, num_leaves 31"),
        ("lineage late 1", "trial 17 of 38 is the best, with parameters of the search: ROC AUC 0.731 on inner splits"),
        ("lineage late 1", "own.train:fit in own (sha256:"),
        ("lineage late 1", "62.5% its own model"),
        ("lineage late 1", "positive one from a score of 0.1712 on, which costs least on 1,200 rows of the holdout"),
        ("lineage late 1", "the rows since then lead"),
        ("models late", "2,340 since 2013-03-01 12:00"),
        ("lineage late 1", "37.5% the model of version 3 (sha256:"),
        ("lineage late 1", "NOT passed: ROC AUC 0.500 is below 0.600"),
        ("quarantine trips", "distance: below 0  distance=-1"),
        ("promote late 2 --reason better", "late: deployment 2 serves version 2 100%"),
        ("rollback late", "late: deployment 2 serves version 2 100%"),
        ("rollout late", "late: version 3 beside 2, running, not_worse"),
        ("rollout late", "canary, step 2 of 5%, 25%, 100%; it answers 25%"),
        ("rollout late", "difference   -0.00110 ± 0.00070 in loss, margin 0.00210"),
        ("rollout late", "needs about  240 blocks a step if equal, 560 in nine of ten"),
        ("rollout late", "not_worse    50% of the evidence that it is not worse by the margin"),
        ("rollout late", "worse        0% of the evidence that it is worse"),
        ("rollout late", "2013-03-01 14:10  inconclusive without more evidence"),
        ("rollout late", "without more evidence; it waits, and asks at 2013-03-08 13:00"),
        ("rollout late", "at most 0.05 of equally good versions go back; a step needs 2,000 answers"),
        ("rollout late", "2013-03-01 12:00  began; it answers 5%  (by registry)"),
        ("rollout late", "paused after 900 answers and 0 outcomes; it answers 5%  (by ada: lunch)"),
        ("rollout late", "took a step, not_worse after 2,120 answers and 20,100 outcomes; it answers 25%"),
        ("rollout late", "2013-03-01 13:30  promoted  (by ada)"),
        ("rollout late pause --reason lunch", "late: version 3 beside 2, paused"),
        ("train late", "late: training requested"),
        ("predict late distance=1 carrier=AA --http --id a", "a  label 0, score 0.25  (version 2)"),
        ("predict late distance=nan carrier=AA --http --id a", "a  label 0, score 0.25  (version 2)"),
        ("status", "ready"),
        ("status", "late: no verdict yet: 336 of 500 rows, alert: no verdict"),
        ("status", "asked: the rollout of version 3 asks (not_worse): see `rondo rollout asked`"),
        ("quarantine trips", "  8  distance: below 0"),
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
    ("command", "next_command"),
    [
        ("runs new", "`rondo watch training.started`"),
        ("models new", "`rondo runs new`"),
        ("history new", "`rondo models new`"),
    ],
)
def test_a_model_without_history_gets_a_hint(rondo: Run, command: str, next_command: str) -> None:
    assert next_command in rondo(*command.split()).stdout
    assert orjson.loads(rondo(*command.split(), "--json").stdout) == []


def test_a_batch_that_was_published_before_is_reported(rondo: Run, batch: str) -> None:
    command = ("publish", "trips", "january.csv", "--batch-id")
    assert rondo(*command, "again").stdout == (
        "batch again was published before, at version 4 of trips (3,000 rows accepted, 12 quarantined): nothing was "
        "added\n  12 quarantined: distance: below 0, such as row 8 with -1\n"
        "  `rondo quarantine trips --batch-id again` shows these rows\n"
    )
    assert (
        "nothing was added\n  its columns terminal, gate were dropped then: if the spec has them now, publish the file "
        "with `--batch-id NEW`\n"
    ) in rondo(*command, "dropped").stdout
    repeated = [orjson.loads(rondo(*command, batch_id, "--json").stdout)["repeated"] for batch_id in ("a", "again")]
    assert repeated == [False, True]


FOREIGN = "run:train:train: its [bold]x[/bold] [red]y"


@pytest.mark.medium
@pytest.mark.parametrize(
    ("command", "path", "answer"),
    [
        ("runs", "/v1/runs", {"runs": [RUN | {"detail": FOREIGN}]}),
        (
            "models late",
            "/v1/models/late/versions?after=1",
            {"versions": [VERSION | {"gates": [GATE | {"message": FOREIGN}]}], "next": None},
        ),
        ("history late", "/v1/models/late/history", {"periods": [PERIOD | {"reason": FOREIGN}]}),
        ("lineage late 1", "/v1/models/late/versions/1/lineage", LINEAGE | {"notes": [{"message": FOREIGN}]}),
        ("quarantine trips", "/v1/datasets/trips/quarantine?limit=20", {"rows": [QUARANTINED | {"content": FOREIGN}]}),
        ("token list", "/v1/tokens", {"tokens": [TOKEN | {"name": FOREIGN}]}),
    ],
)
def test_text_from_outside_is_printed_as_it_is(
    rondo: Run, monkeypatch: pytest.MonkeyPatch, command: str, path: str, answer: dict[str, Any]
) -> None:
    monkeypatch.setitem(Services.answers, ("GET", path), (200, answer))
    assert FOREIGN in rondo(*command.split()).stdout


@pytest.mark.parametrize("content", ["[1]", "null", "7"])
def test_a_quarantined_row_that_is_no_object_is_printed_without_values(
    rondo: Run, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    answer = {"rows": [QUARANTINED | {"content": content}]}
    monkeypatch.setitem(Services.answers, ("GET", "/v1/datasets/trips/quarantine?limit=20"), (200, answer))
    assert f"  {content}" in rondo("quarantine", "trips").stdout


@pytest.mark.parametrize("command", ["models", "status"])
def test_text_from_the_monitor_is_printed_as_it_is(rondo: Run, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    answer = {"models": [summary("late", version=2, no_verdict=FOREIGN, last_window="2013-03-01T12:00:00Z")]}
    monkeypatch.setitem(Monitor.answers, ("GET", "/v1/models"), (200, answer))
    assert FOREIGN in rondo(command).stdout


@pytest.mark.parametrize("command", ["predict late --event-time", "outcome late 1 --id a --at", "train late --at"])
def test_an_event_time_without_an_offset_is_refused_as_over_kafka(rondo: Run, command: str) -> None:
    failed = rondo(*command.split(), "2013-03-01T12:00:00", "--json")
    text = orjson.loads(failed.stdout)["message"]
    assert f"`event_time` is 2013-03-01T12:00:00: {event_times.WANTED}" in text
    assert failed.exit_code == 2


def test_a_model_is_removed_after_a_confirmation(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rondo.client.cli.versions.promote._interactive", lambda: True)
    asked = ("remove", "late", "--reason", "obsolete")
    declined = rondo(*asked, stdin="n\n")
    assert declined.exit_code == 1
    assert "is removed" not in declined.stdout
    assert "late is removed" in rondo(*asked, stdin="y\n").stdout


def test_a_model_is_not_removed_where_nobody_can_confirm(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rondo("remove", "late", stdin="y\n").exit_code == 2
    monkeypatch.setattr("rondo.client.cli.versions.promote._interactive", lambda: True)
    refused = rondo("remove", "late", "--json", stdin="y\n")
    assert (refused.exit_code, orjson.loads(refused.stdout)["error"]) == (2, "usage")
    assert "add --yes" in orjson.loads(refused.stdout)["message"]
    assert rondo("remove", "late", "--reason", "obsolete", "--json", "--yes").exit_code == 0


def test_a_dataset_is_applied_with_its_changes(rondo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Services.answers, ("PUT", "/v1/specs"), (200, APPLIED_DATASET))
    (tmp_path / "weather.yaml").write_text(WEATHER)
    applied = rondo("apply", "weather.yaml")
    assert applied.stdout.splitlines()[0].startswith("dataset weather: revision 2 ")
    assert "harmless" in applied.stdout
    assert "warning: strict" in applied.stderr
    assert orjson.loads(rondo("apply", "weather.yaml", "--json").stdout) == APPLIED_DATASET


def test_applying_a_dataset_ends_when_ingestion_has_the_spec(
    rondo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Services.answers, ("PUT", "/v1/specs"), (200, APPLIED_DATASET))
    (tmp_path / "weather.yaml").write_text(WEATHER)
    answers = [NotFoundError("weather"), {"contract": "sha256:before"}, {"contract": DIGEST}]

    async def asked(_: Any, dataset: str) -> Any:
        assert dataset == "weather"
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(IngestionClient, "dataset", asked)
    assert rondo("apply", "weather.yaml").exit_code == 0
    assert answers == []


def test_a_spec_of_a_dataset_that_ingestion_does_not_receive_is_warned_of(
    rondo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rondo.client.cli.publish._INGESTION_SECONDS", 0.02)
    monkeypatch.setitem(Services.answers, ("PUT", "/v1/specs"), (200, APPLIED_DATASET))
    monkeypatch.setitem(Services.answers, ("GET", "/v1/datasets/weather"), (200, {"contract": "sha256:before"}))
    (tmp_path / "weather.yaml").write_text(WEATHER)
    warnings = orjson.loads(rondo("apply", "weather.yaml", "--json").stdout)["warnings"]
    assert len(warnings) == len(APPLIED_DATASET["warnings"]) + 1


def test_several_files_are_all_checked_first_and_datasets_applied_first(
    rondo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    apply = RegistryClient.apply

    async def recorded(self: Any, text: str, source: str = "rondo.yaml") -> Any:
        sent.append(Path(source).name)
        return await apply(self, text, source)

    monkeypatch.setattr(RegistryClient, "apply", recorded)
    (tmp_path / "late.yaml").write_text(SPEC)
    (tmp_path / "weather.yaml").write_text(WEATHER)
    (tmp_path / "wrong.yaml").write_text(WEATHER.replace("float", "flaot"))
    assert rondo("apply", "late.yaml", "wrong.yaml").exit_code == 1
    assert sent == []
    found = orjson.loads(rondo("apply", "late.yaml", "weather.yaml", "--json").stdout)
    assert (sent, len(found)) == (["weather.yaml", "late.yaml"], 2)


def test_the_declared_datasets_are_listed_with_their_models(rondo: Run) -> None:
    head, row = rondo("datasets").stdout.splitlines()
    assert head.split() == ["dataset", "revision", "entity", "event", "time", "columns", "models"]
    assert row.split() == ["weather", "2", "origin", "at", "1", "late"]
    assert orjson.loads(rondo("datasets", "--json").stdout) == [DATASET_SPEC]


def test_the_declaration_of_a_dataset_is_removed(rondo: Run) -> None:
    assert rondo("remove", "weather", "--dataset", "--reason", "unused").exit_code == 2
    removed = rondo("remove", "weather", "--dataset", "--reason", "unused", "--yes", "--json")
    assert orjson.loads(removed.stdout) == {"dataset": "weather", "revision": 3}


def test_a_model_of_a_declared_dataset_is_the_registrys_to_judge(
    rondo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"columns": KEYS, "data_version": {"version": 3}, "declared": True}
    monkeypatch.setitem(Services.answers, DATASET, (200, answer))
    (tmp_path / "late.yaml").write_text(SPEC)
    assert "so far" not in rondo("apply", "late.yaml").stderr


def test_a_created_token_is_alone_on_stdout(rondo: Run) -> None:
    created = rondo("token", "create", "ada", "--role", "reader")
    assert created.stdout == "rondo_0123456789ab_secret\n"
    assert created.stderr
    assert "secret" not in created.stderr


def test_the_token_of_the_command_line_is_used(run: Run) -> None:
    with pytest.MonkeyPatch.context() as patch:
        used: list[str] = []
        patch.setattr("rondo.client.http.transport.HttpTransport.__init__", lambda _, c, __: used.append(c.token))
        unreachable = {f"RONDO_{name}_URL": "http://127.0.0.1:1" for name in ("REGISTRY", "INGESTION", "SERVING")}
        run("--token", "mine", "models", RONDO_KAFKA="127.0.0.1:1", RONDO_TOKEN="x", **unreachable)
    assert [token.get_secret_value() for token in used] == ["mine"]


def test_an_empty_quarantine(rondo: Run) -> None:
    asked = ("quarantine", "trips", "--batch-id", "a", "--last", "5")
    assert {"no", "a", "trips"} <= {*rondo(*asked).stdout.split()}
    assert orjson.loads(rondo(*asked, "--json").stdout) == []


def test_a_warning_goes_to_stderr(rondo: Run, batch: str) -> None:
    assert "warning: slow" in rondo("apply", "late.yaml", "--json").stderr


def test_a_row_is_one_line_without_a_terminal(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    content = orjson.dumps({"text": "word " * 2_000}).decode()
    monkeypatch.setitem(
        Services.answers,
        ("GET", "/v1/datasets/trips/quarantine?limit=20"),
        (200, {"rows": [QUARANTINED | {"content": content}]}),
    )
    head, row = rondo("quarantine", "trips").stdout.splitlines()
    assert head.split() == ["batch", "row,", "from", "1", "reason", "value", "content"]
    assert content in row


@pytest.mark.medium
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


@pytest.mark.medium
@pytest.mark.parametrize(
    ("columns", "version", "features", "warned"),
    [
        (KEYS, 3, "{distance: {type: float}}", ("early", "distance", "it is")),
        (KEYS[:2], 3, "{distance: {type: float}}", ("early", "distance, late", "them")),
        (KEYS, 3, "{distance: {type: float, optional: true}}", ()),
        (KEYS, 0, "{distance: {type: float}}", ()),
        ([*KEYS, {"name": "distance", "models": ["early"]}], 3, "{distance: {type: float}}", ()),
    ],
)
def test_a_required_column_that_the_batches_so_far_lack_is_reported(
    rondo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: Any, version: int, features: str,
    warned: tuple[str, ...],
) -> None:  # fmt: skip
    answer = {"columns": columns, "data_version": {"version": version} if version else None}
    monkeypatch.setitem(Services.answers, DATASET, (200, answer))
    (tmp_path / "late.yaml").write_text(SPEC.replace("{distance: {type: float}}", features))
    applied = rondo("apply", "late.yaml", "--json")
    found = [warning for warning in orjson.loads(applied.stdout)["warnings"] if "so far" in warning]
    assert bool(found) == bool(warned)
    assert all(fact in each for each in found for fact in warned)


@pytest.mark.parametrize(
    ("column", "name", "warned"),
    [
        ("label", "ltae", "the label 'ltae' is new to trips, whose batches have 'late': is it misspelt?"),
        ("label", "delayed", ""),
        (
            "feature",
            "distnace",
            "the column 'distnace' is new to trips, whose batches have 'distance': is it misspelt?",
        ),
    ],
)
def test_a_column_that_is_similar_to_one_of_the_batches_is_reported(
    rondo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, name: str, warned: str
) -> None:
    columns = [*KEYS, {"name": "distance", "models": ["early"]}]
    monkeypatch.setitem(Services.answers, DATASET, (200, {"columns": columns, "data_version": {"version": 3}}))
    changed = ("label: late", f"label: {name}") if column == "label" else ("distance:", f"{name}:")
    assert changed[0] in SPEC
    (tmp_path / "late.yaml").write_text(SPEC.replace(*changed))
    warnings = orjson.loads(rondo("apply", "late.yaml", "--json").stdout)["warnings"]
    assert [each for each in warnings if "misspelt" in each] == ([warned] if warned else [])


@pytest.mark.parametrize(("gates", "warned"), [("", True), ("gates: {roc_auc: {min: 0.6}}\n", False)])
def test_a_spec_without_gates_is_reported(rondo: Run, tmp_path: Path, gates: str, warned: bool) -> None:  # noqa: FBT001
    (tmp_path / "late.yaml").write_text(SPEC + gates)
    assert ("gates" in rondo("apply", "late.yaml").stderr) == warned


def test_a_fault_of_the_monitor_does_not_hide_the_models(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Monitor.answers, ("GET", "/v1/models"), (500, {"code": "internal_error", "detail": "a fault"}))
    done = rondo("models")
    assert (done.exit_code, "version 2 100%" in done.stdout, "unknown" in done.stdout) == (0, True, True)
    assert "a fault" in done.stderr


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
        "rollout",
        "lineage",
    ):
        assert f" {name} " in shown


def test_outcomes_without_a_prediction_are_counted(rondo: Run) -> None:
    done = rondo("outcome", "late", "--unmatched")
    assert done.stdout.startswith(
        "3 outcomes of late have no prediction with their id or entity by the version in production, and 1,200 "
        "predictions no outcome; 2 outcomes came after their window had closed."
    )
    found = orjson.loads(rondo("outcome", "late", "--unmatched", "--json").stdout)
    assert found == {"model": "late", "predictions": 1_200, "outcomes": 3, "late_outcomes": 2}
    assert rondo("outcome", "nosuch", "--unmatched").exit_code == 1
    assert rondo("outcome", "late", "1", "--unmatched").exit_code == 2
