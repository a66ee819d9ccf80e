"""`rondo register`: what it sends, prints and exits with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import orjson
import pytest
from onnx import TensorProto, helper, load_model_from_string
from rondo import client
from rondo.client import AsyncRondo, Connection, RefusedError

from tests.client.stub_services import DAY, DIGEST, GATE, VERSION, Services, serving
from tests.support.unknown_words import WORD

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

Run = Callable[..., "Result"]
TRIGGER = {"id": "registration/1", "kind": "registration", "artifact": DIGEST}
RUN = {"run_id": "run-1", "state": "trained", "trigger": TRIGGER, "started_at": DAY, "finished_at": DAY, "detail": ""}
PASSED = VERSION | {"model_version": 7, "passed": True, "state": "champion", "gates": []}
NO_ONNX = {"status": 422, "code": "not_onnx", "detail": "no ONNX: `convert` it"}


def _answers(model: str, runs: list[Any], versions: list[Any]) -> dict[tuple[str, str], tuple[int, Any]]:
    accepted = {"model": model, "trigger_id": TRIGGER["id"], "artifact": DIGEST, "status": "requested"}
    return {
        ("POST", f"/v1/models/{model}/versions?reason="): (202, accepted),
        ("POST", f"/v1/models/{model}/versions?reason=new+loss"): (202, accepted),
        ("GET", f"/v1/runs?model={model}"): (200, {"runs": runs}),
        ("GET", f"/v1/models/{model}/versions"): (200, {"versions": versions, "next": None}),
    }


class Registry(Services):
    """Answers a registration by the name of the model. Keeps what was sent."""

    sent: ClassVar[list[bytes]] = []
    answers = (
        _answers("good", [RUN], [PASSED])
        | _answers("poor", [RUN], [VERSION | {"gates": [GATE]}])
        | _answers("gone", [RUN], [PASSED | {"state": "rolled_back"}])
        | _answers("begun", [RUN], [PASSED | {"state": "rolling_out"}])
        | _answers("odd", [RUN | {"state": "failed", "detail": "carrier is a category (after 1 attempts)"}], [])
        | _answers("slow", [RUN | {"state": "running"}], [])
        | _answers("later-run", [RUN | {"state": WORD}], [])
        | _answers("later-version", [RUN], [PASSED | {"state": WORD}])
        | {("POST", "/v1/models/late/versions?reason="): (422, NO_ONNX)}
    )

    def answer(self) -> None:
        if self.command == "POST":
            body = self.rfile.peek(1 << 16)[: int(self.headers["content-length"])]  # type: ignore[attr-defined]
            self.sent.append(body)
        super().answer()

    do_GET = do_POST = answer  # noqa: N815 - the standard library's names


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    yield from serving(Registry)


@pytest.fixture
def register(rondo: Run, registry: str, tmp_path: Path) -> Run:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["x2"])], "g", [value], [value])
    (tmp_path / "model.onnx").write_bytes(helper.make_model(graph).SerializeToString())

    def invoke(model: str, *options: str) -> Result:
        return rondo("register", model, "model.onnx", *options, RONDO_REGISTRY_URL=registry)

    return invoke


@pytest.mark.medium
@pytest.mark.parametrize(
    ("model", "printed", "code"),
    [
        ("good", "good: version 7, promoted\n", 0),
        ("poor", "poor: version 1, rejected because ROC AUC 0.500 is below 0.600\n", 3),
        ("begun", "begun: version 7 passed its gates; `rondo rollout begun` shows its rollout\n", 0),
        ("gone", "gone: version 7 passed its gates and does not serve any more; `rondo history gone` shows why\n", 3),
        ("odd", "odd: refused because carrier is a category\n", 1),
    ],
)
def test_it_waits_for_the_outcome_and_prints_it(register: Run, model: str, printed: str, code: int) -> None:
    result = register(model, "--reason", "new loss")
    assert (result.stdout, result.exit_code) == (printed, code)


def test_it_waits_as_long_as_it_is_told(register: Run) -> None:
    result = register("slow", "--wait", "0.1")
    assert result.exit_code == 4
    assert "`rondo runs slow`" in result.stdout
    assert "running" in result.stdout


@pytest.mark.parametrize("model", ["later-run", "later-version"])
def test_it_waits_for_a_state_that_it_knows_and_then_shows_the_unknown_one(register: Run, model: str) -> None:
    shown = register(model, "--wait", "0.1")
    assert (shown.exit_code, WORD in shown.stdout) == (4, True), shown.output
    assert orjson.loads(register(model, "--wait", "0.1", "--json").stdout)["state"] == WORD


def test_json_has_all_of_it(register: Run) -> None:
    assert orjson.loads(register("poor", "--json").stdout) == {
        "model": "poor", "trigger_id": "registration/1", "artifact": DIGEST, "status": "rejected", "state": "",
        "version": 1, "reasons": [GATE["message"]], "not_compared": [],
    }  # fmt: skip


def test_a_file_that_the_registry_refuses_is_an_error(register: Run) -> None:
    result = register("late")
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(NO_ONNX["detail"]) in result.stderr


def test_options_become_metadata_of_the_file(register: Run) -> None:
    options = ["--trained-until", DAY, "--classes", "no, yes", "--features", "temp,wind", "--output", "p"]
    assert register("good", *options).exit_code == 0
    sent = load_model_from_string(Registry.sent[-1])
    assert {entry.key: entry.value for entry in sent.metadata_props} == {
        "rondo.trained_until": "2013-03-01T12:00:00+00:00", "rondo.classes": '["no", "yes"]',
        "rondo.features": '["temp", "wind"]', "rondo.output": "p",
    }  # fmt: skip


def test_a_time_without_an_offset_is_refused(register: Run) -> None:
    assert register("good", "--trained-until", "2013-03-01").exit_code == 2


async def test_a_registry_that_is_unavailable_meanwhile_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rondo.client.registration.client._POLL_SECONDS", 0.01)
    failures = iter([httpx.ConnectError("refused"), 503])
    answers = _answers("good", [RUN], [PASSED])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/runs" and (failure := next(failures, None)):
            if isinstance(failure, Exception):
                raise failure
            return httpx.Response(failure, json={"detail": "PostgreSQL is down"})
        status, body = answers[request.method, request.url.raw_path.decode()]
        return httpx.Response(status, json=body)

    urls = dict.fromkeys(("registry", "ingestion", "serving"), "http://rondo")
    connection = Connection(kafka="127.0.0.1:1", token="x", **urls)  # type: ignore[arg-type]
    async with AsyncRondo(connection, httpx.MockTransport(answer)) as rondo:
        assert (await rondo.register("good", b"onnx")).status == "promoted"


async def test_a_file_that_cannot_be_read_is_an_error_of_ours(tmp_path: Path) -> None:
    urls = dict.fromkeys(("registry", "ingestion", "serving"), "http://rondo")
    connection = Connection(kafka="127.0.0.1:1", token="x", **urls)  # type: ignore[arg-type]
    async with AsyncRondo(connection) as rondo:
        with pytest.raises(RefusedError) as refused:
            await rondo.register("good", tmp_path / "none.onnx")
    assert refused.value.code == "unreadable"


def test_one_call_registers_with_the_platform_of_the_environment(
    registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in ("REGISTRY", "INGESTION", "SERVING"):
        monkeypatch.setenv(f"RONDO_{service}_URL", registry)
    monkeypatch.setenv("RONDO_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("RONDO_TOKEN", "x")
    registered = client.register("poor", b"onnx", reason="new loss")
    assert (registered.status, registered.version, Registry.sent[-1]) == ("rejected", 1, b"onnx")
    with pytest.raises(RefusedError):
        client.register("late", tmp_path / "none.onnx")
