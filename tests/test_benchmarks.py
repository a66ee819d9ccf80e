"""The evaluation of benchmark results: a missed goal shows in the exit code. Nothing is measured here."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnxruntime import InferenceSession
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import ReplicaChanged
from rondo.contracts.events.models import GateResult, ModelRejected
from rondo.flights.observers.history import History

from tests.benchmarks import experiments, pictures, readme, results, run, serving_tables
from tests.benchmarks.load import network, training
from tests.benchmarks.load.closed_loop import Figures
from tests.benchmarks.tables import bulk, crayfish, demo, grpc, redeploy, replicas, rest, slow, stream, train
from tests.benchmarks.tables.data import point_in_time

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.events.base import Event

RESULTS = results.RESULTS
DIGEST = "sha256:" + "a" * 64
TURN = {"seconds_with_training": 3.0, "seconds_without_training": 0.25}
REPORT: dict[str, Any] = {
    "requests": 280_000,
    "lost": [],
    "doubled": [],
    "retrains": [TURN, TURN, TURN],
    "with_loop": dict.fromkeys(map(str, range(5, 13)), 0.74),
    "without_loop": dict.fromkeys(map(str, range(5, 13)), 0.70),
}


@pytest.fixture(autouse=True)
def recording(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Record rows in a folder of the test."""
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setenv("BENCH_RECORD", "1")


def lines(folder: Path, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{table}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("seconds", "miscounted", "code"), [(0.2, 0, 0), (1.2, 0, 1), (0.2, 1, 1)])
def test_redeploying_slowly_or_with_a_loss_misses_the_goal(seconds: float, miscounted: int, code: int) -> None:
    assert results.record(redeploy.table([seconds] * redeploy.TIMES, miscounted)) == code


@pytest.mark.parametrize(
    ("ratio", "equal", "code"), [(0.6, True, 0), (0.4, True, 1), (0.6, False, 1), (None, False, 0)]
)
def test_a_join_that_is_slow_or_finds_other_values_misses_the_goal(
    ratio: float | None,
    equal: bool,  # noqa: FBT001
    code: int,
) -> None:
    assert results.record([point_in_time.row("joined", ratio, 0.1, 0.5, equal=equal)]) == code


def test_a_missing_redeployment_fails_the_goal() -> None:
    assert results.record(redeploy.table([0.2] * (redeploy.TIMES - 1), 0)) == 1


class Received:
    """A listener that has received the given events, and receives no more."""

    def __init__(self, *events: Event) -> None:
        at = datetime(2013, 1, 1, tzinfo=UTC)
        self.history = History([Envelope(f"e{number}", "rondo/test", at, event) for number, event in enumerate(events)])

    def wait_for(self, enough: Any, _: float) -> bool:
        return bool(enough(self.history))


async def test_a_candidate_that_is_refused_ends_the_benchmark_with_its_reason() -> None:
    replica = {"model": "bench", "replica": "0", "digest": DIGEST, "revision": 1, "at": "2013-01-01T00:00:00Z"}
    first = ReplicaChanged.model_validate(replica | {"model_version": 1, "state": "available"})
    gate = GateResult(gate="roc_auc", passed=False, observed=0.4, bound=0.5, message="roc_auc 0.400 is below 0.5")
    refused = ModelRejected(model="bench", model_version=2, digest=DIGEST, run_id="r", gates=(gate,))
    await redeploy.available(1, Received(first, refused))
    with pytest.raises(redeploy.NoTurnError) as of_gates:
        await redeploy.available(2, Received(first, refused))
    assert of_gates.value.version == 2
    assert gate.message in of_gates.value.why
    with pytest.raises(redeploy.NoTurnError) as of_silence:
        await redeploy.available(2, Received(first))
    assert of_silence.value.version == 2
    assert gate.message not in of_silence.value.why


@pytest.mark.medium
def test_a_stream_has_a_goal_against_each_peer(tmp_path: Path) -> None:
    figures = {"rondo": [(80_000.0, 20.0)], "confluent": [(80_000.0, 10.0)], "faststream": [(40_000.0, 25.0)]}
    figures |= {"quix": [(12_000.0, 100.0)], "mlserver": [(1_600.0, 1_000.0)]}
    times = {
        "1,000 requests/s": (1_000, (10.0, 20.0), (2.0, 4.0)),
        stream.SATURATED: (40_000, (15.0, 21.0), (10.0, 10.0)),
    }
    assert results.record(stream.table(figures, times)) == 1
    found = {line["row"]: (line["peer"], line["ratio"], line["met"]) for line in lines(tmp_path, "stream")}
    against = "predictions, exactly once, against"
    # A peer that could not run.
    assert found[f"{against} aiokafka by hand"] == (None, None, False)
    assert found[f"{against} confluent by hand"] == (80_000.0, 1.0, True)
    assert found[f"{against} FastStream in batches, at least once"] == (40_000.0, 2.0, True)
    assert found[f"{against} Quix Streams, exactly once"] == (12_000.0, 80 / 12, False)
    assert found[f"{against} MLServer's Kafka, at most once"] == (1_600.0, 50.0, True)
    assert found[f"CPU time of {against} confluent by hand"] == (10.0, 2.0, True)
    assert found["latency at 1,000 requests/s, 99th percentile"] == (4.0, 5.0, True)
    assert found["latency at half of saturation, median"] == (10.0, 1.5, True)
    assert found["latency at half of saturation, 99th percentile"] == (10.0, 2.1, False)
    alone = stream.table({"rondo": [(80_000.0, 20.0)]}, {stream.SATURATED: (1, (1.0, 2.0), None)})
    assert all(row.met == (row.goal == "shown") for row in alone)


@pytest.mark.parametrize(("rate", "code"), [(1_000.0, 0), (999.0, 1)])
def test_the_workload_of_crayfish_has_a_goal(tmp_path: Path, rate: float, code: int) -> None:
    assert results.record(crayfish.table([(rate, 50.0)], [(1_000.0, 100.0)])) == code
    assert [line["ratio"] for line in lines(tmp_path, "crayfish")] == [rate / 1_000, 0.5]
    assert [row.met for row in crayfish.table([(rate, 50.0)], [])] == [False, True]


def test_two_replicas_stand_beside_one() -> None:
    rate, cpu = replicas.table({1: [(1_000.0, 10.0)], 2: [(1_500.0, 12.0), (1_400.0, 11.0), (1_700.0, 15.0)]})
    assert (rate.ours, rate.peer, rate.ratio) == (1_500, 1_000, 1.5)
    assert (cpu.ours, cpu.peer, cpu.ratio) == (12, 10, 1.2)


def test_both_forms_of_the_network_of_crayfish_agree() -> None:
    plain, served = (InferenceSession(content) for content in (network.plain(), network.per_feature()))
    weights = onnx.load_from_string(network.plain()).graph.initializer
    assert sum(numpy_helper.to_array(each).size for each in weights) == 27_562
    x = np.random.default_rng(0).normal(size=(5, 784)).astype(np.float32)
    (probabilities,) = plain.run(None, {"x": x})
    columns = {name: x[:, [number]] for number, name in enumerate(network.FEATURES)}
    label, score, by_feature = served.run(None, columns)
    np.testing.assert_allclose(by_feature, probabilities, rtol=1e-5)
    np.testing.assert_array_equal(label[:, 0], probabilities.argmax(axis=1))
    np.testing.assert_allclose(score[:, 0], probabilities.max(axis=1), rtol=1e-5)


@pytest.mark.medium
def test_inferences_over_http_are_shown_beside_each_peer(tmp_path: Path) -> None:
    factors = {"rondo": 8, "buffered": 24, "granian": 16, "mlserver": 2, "kserve": 5, "bentoml": 1, "exported": 32}
    figures = {
        (name, n): [Figures(10.0 * n * factor, 2.0, 9.0 if name != "mlserver" else 45.0, 4.0 / factor)]
        for name, factor in factors.items()
        for n in rest.CONNECTIONS
    }
    assert results.record(rest.table(figures)) == 1
    assert [line["row"] for line in lines(tmp_path, "rest") if not line["met"]] == [
        "HTTP inferences over 16 connections, logged, against granian bare",
        "HTTP inferences over 16 connections, logged, against KServe's server",
        "time of an HTTP inference over 16 connections, logged, 99th percentile, against KServe's server",
        "time of an HTTP inference over 16 connections, logged, 99th percentile, against an API of BentoML",
        "HTTP inferences over 64 connections, logged, against granian bare",
        "HTTP inferences over 64 connections, logged, against KServe's server",
    ]
    found = {line["row"]: (line["ours"], line["peer"], line["ratio"]) for line in lines(tmp_path, "rest")}
    assert found["HTTP inferences over 16 connections, logged, against granian bare"] == (1_280.0, 2_560.0, 0.5)
    assert found["HTTP inferences over 16 connections, logged, against an exported Bento"] == (1_280.0, 5_120.0, 0.25)
    assert found["CPU time of an HTTP inference over 1 connection, logged, against an API of BentoML"] == (
        0.5,
        4.0,
        0.125,
    )
    tail = "99th percentile, against granian bare"
    assert found[f"time of an HTTP inference over 1 connection, logged, {tail}"] == (9.0, 9.0, 1.0)
    assert found["HTTP inferences over 16 connections, log buffered, against granian bare"] == (3_840.0, 2_560.0, 1.5)
    alone = {key: each for key, each in figures.items() if key[0] in ("rondo", "buffered")}
    rows = rest.table(alone)
    assert [row.peer for row in rows] == [None] * 72
    assert all(row.met == (row.goal == "shown") for row in rows)


@pytest.mark.parametrize(("rate", "code"), [(2_000.0, 0), (1_999.0, 1)])
def test_inferences_over_grpc_have_a_goal_at_16_streams(tmp_path: Path, rate: float, code: int) -> None:
    figures = {("rondo", each): [Figures(rate, 1.0, 2.0, 0.5)] for each in grpc.LOADS}
    figures |= {("mlserver", each): [Figures(1_000.0, 4.0, 8.0, 1.0)] for each in grpc.LOADS}
    assert results.record(grpc.table(figures)) == code
    found = {line["row"]: (line["ratio"], line["met"]) for line in lines(tmp_path, "grpc")}
    assert found["gRPC inferences, 16 streams on 1 connection, logged, against MLServer"] == (rate / 1_000, code == 0)
    assert found["time of a gRPC inference, 1 stream, logged, median, against MLServer"] == (0.25, True)
    assert found["time of a gRPC inference, 1 stream, logged, 99th percentile, against MLServer"] == (0.25, True)
    assert found["CPU time of a gRPC inference, 16 connections, logged, against MLServer"] == (0.5, True)
    alone = {key: each for key, each in figures.items() if key[0] == "rondo"}
    assert [row.peer for row in grpc.table(alone)] == [None] * 12


def test_slow_traffic_is_shown_beside_fast_traffic(tmp_path: Path) -> None:
    times = {"HTTP": slow.Times([4.0, 9.0, 5.0], [2.0, 2.5, 8.0]), "Kafka": slow.Times([40.0], [20.0])}
    assert results.record(slow.table(times)) == 0
    found = {line["row"]: (line["ours"], line["peer"], line["ratio"]) for line in lines(tmp_path, "slow")}
    assert found["HTTP, a request every 4 s, median"] == (5.0, 2.5, 2.0)
    assert found["HTTP, a request every 4 s, longest"] == (9.0, 8.0, 1.125)
    assert found["Kafka, a request every 4 s, median"] == (40.0, 20.0, 2.0)


@pytest.mark.parametrize(("seconds", "code"), [(1.3, 0), (1.4, 1)])
def test_a_training_is_shown_as_a_share_of_its_fit(tmp_path: Path, seconds: float, code: int) -> None:
    peer = {"seconds": 1.0, "cpu": 2.0, "memory": 100.0}
    rounds = [({"seconds": each, "cpu": 3.0, "memory": 250.0}, peer) for each in (seconds, 0.9, 9.0)]
    assert results.record(train.table({"lightgbm": rounds}, "a busy machine")) == code
    found = [(line["ours"], line["peer"], line["ratio"], line["machine"]) for line in lines(tmp_path, "train")]
    assert found == [
        (seconds, None, seconds, "a busy machine"), (1.5, None, 1.5, "a busy machine"),
        (250, 100, 2.5, "a busy machine"),
    ]  # fmt: skip
    shown = readme.train_block()
    assert shown.splitlines()[-2].startswith(f"| lightgbm | {seconds:.2f}")
    assert shown.splitlines()[-2].endswith(" | 1.50 | 2.50 (250 and 100 MiB) |")


def test_a_default_training_has_no_goal_beside_one_fit(tmp_path: Path) -> None:
    peer = {"seconds": 1.0, "cpu": 2.0, "memory": 100.0}
    rounds = [({"seconds": 5.0, "cpu": 9.0, "memory": 250.0}, peer)]
    assert results.record(train.table({training.DEFAULT: rounds}, "a busy machine")) == 0
    assert {line["goal"] for line in lines(tmp_path, "train")} == {"shown"}


def test_a_report_of_the_demo_becomes_rows(tmp_path: Path) -> None:
    assert results.record(demo.table(90.0, 0, REPORT)) == 0
    found = {line["row"]: (line["ours"], line["peer"], line["met"]) for line in lines(tmp_path, "demo")}
    assert found["automatic redeployments"] == (3, None, True)
    assert found["AUC of month 5, never retrained beside"] == (0.74, 0.70, True)
    ours, peer, met = found["mean AUC from May to October, never retrained beside"]
    assert (ours, peer, met) == (pytest.approx(0.74), pytest.approx(0.70), True)
    assert found["the same with at most 9 redeployments, as monthly; redeployments beside"][1:] == (3.0, True)


@pytest.mark.parametrize(
    ("took", "code", "change"),
    [
        (98.0, 0, {}),
        (90.0, 1, {}),
        (90.0, 0, {"lost": ["r1"]}),
        (90.0, 0, {"doubled": ["r1"]}),
        (90.0, 0, {"retrains": []}),
        (90.0, 0, {"with_loop": REPORT["with_loop"] | {"5": 0.68}}),
        (90.0, 0, {"retrains": [TURN] * 10}),
    ],
)
def test_a_demo_that_falls_short_misses_a_goal(took: float, code: int, change: dict[str, Any]) -> None:
    assert results.record(demo.table(took, code, REPORT | change)) == 1


def test_every_table_is_a_script() -> None:
    assert list(run.tables()) == [
        "bulk",
        "costs",
        "crayfish",
        "delays",
        "demo",
        "estimates",
        "evidence",
        "grpc",
        "injected",
        "kills",
        "models",
        "oracles",
        "point_in_time",
        "policies",
        "redeploy",
        "replicas",
        "rest",
        "rollouts",
        "slow",
        "stationary",
        "stream",
        "swaps",
        "throughput",
        "train",
    ]


def test_a_run_that_does_not_record_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_RECORD")
    results.record(demo.table(120.0, 0, REPORT))
    assert list(tmp_path.iterdir()) == []


def test_the_table_of_the_readme_is_the_newest_recorded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", RESULTS)
    assert readme.block() in readme.README.read_text(), "run `python -m tests.benchmarks.readme`"
    assert readme.models_block() in readme.TRAINERS.read_text(), "run `python -m tests.benchmarks.readme`"
    assert readme.models_block().count("\n") == 3 + 3 * 7
    assert readme.train_block() in readme.TRAINERS.read_text(), "run `python -m tests.benchmarks.readme`"
    # Rows of new trainers are present when they have been recorded.
    assert 3 + 4 <= readme.train_block().count("\n") <= 3 + len(train.TRAINERS)


def test_the_goals_of_retraining_are_held_to_the_recorded_figures() -> None:
    def rows(ours: float, versions: float) -> experiments.Rows:
        figures = {"by comparison": ours, "never": 0.7, "monthly, all rows": 0.8}
        found = {f"{stream}: accuracy, {name}": each for stream in experiments.EIGHT for name, each in figures.items()}
        found |= {"mean of 14 streams: accuracy, by comparison": ours}
        found |= {"flights: AUC from May to October, by comparison": ours}
        found |= {"flights: new versions, by comparison": versions, "flights: new versions, monthly, all rows": 9}
        return {name: {"ours": each} for name, each in found.items()}

    def met(ours: float, versions: float) -> list[bool]:
        return ["**no**" not in line for line in experiments.of_goals(rows(ours, versions))[2:]]

    assert met(0.86, 9) == [True] * 5
    assert met(0.86, 10) == [True, True, True, True, False]
    assert met(0.73, 9) == [False, True, False, False, True]
    assert met(0.68, 9) == [False] * 5


def test_the_tables_of_the_experiments_are_the_newest_recorded_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", RESULTS)
    for path, sections in experiments.PAGES.items():
        page = path.read_text()
        for name, block in experiments.blocks(sections).items():
            assert block in page, f"{name}: run `python -m tests.benchmarks.experiments`"
            assert block.count("\n") > 3, f"{name} has no recorded rows"


def test_a_figure_has_its_share_of_each_peer_and_says_which_goal_it_missed() -> None:
    def row(ratio: float, goal: str, *, met: bool) -> dict[str, Any]:
        return {"ours": 5.0, "peer": 5.0 / ratio, "unit": "/s", "goal": goal, "met": met, "ratio": ratio}

    rows = {
        "calls, against one": row(1.9, "at least 2 of it", met=False),
        "calls, against another": row(2.5, "at least 2 of it", met=True),
        "time, against one": row(0.5, "shown", met=True),
        "lost": row(1, "0", met=True),
    }
    assert serving_tables.beside_peers(rows)[2:] == [
        "| calls | 5.00 /s | **1.90** (missed: at least 2) | 2.50 (at least 2) |",
        "| time | 5.00 /s | 0.50 |  |",
    ]


def test_the_picture_of_delays_is_of_the_newest_recorded_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", RESULTS)
    drawn = pictures.picture(results.newest("delays"))
    assert drawn == pictures.PICTURE.read_text(), "run `python -m tests.benchmarks.pictures`"
    points = pictures.panels(results.newest("delays"))
    assert len(points) == 3
    assert all(set(pictures.STYLES) == set(each) for each in points.values())


@pytest.mark.parametrize(
    ("seconds", "memory", "code"), [(1.2, [300, 301], 0), (1.5, [300, 301], 1), (1.2, [300, 400], 1)]
)
def test_bulk_scoring_that_is_slow_or_grows_misses_a_goal(seconds: float, memory: list[float], code: int) -> None:
    assert results.record(bulk.table([(seconds, 1.0)] * 3, [(1.0, 1.0)] * 3, 1_000, memory)) == code
