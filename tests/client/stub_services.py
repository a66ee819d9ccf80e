"""The services' answers to the tests of the command, request by request."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGEST = f"sha256:{'a' * 64}"
DAY = "2013-03-01T12:00:00Z"
SPEC = """\
model: late
data: {dataset: trips, entity: id, event_time: at, label: late}
features: {distance: {type: float}}
"""
WEATHER = """\
kind: dataset
dataset: weather
entity: [origin]
event_time: at
columns: {temp: {type: float}}
"""
DATASET_SPEC = {
    "dataset": "weather", "revision": 2, "digest": DIGEST, "models": ["late"],
    "spec": {"dataset": "weather", "entity": ["origin"], "event_time": "at", "columns": {"temp": {"type": "float"}}},
}  # fmt: skip
APPLIED_DATASET = {
    "dataset": "weather", "revision": 2, "digest": DIGEST, "changed": True, "warnings": ["strict"],
    "changes": [
        {"column": "temp", "change": "added", "message": "strict", "is_stricter": True},
        {"column": "rain", "change": "added", "message": "harmless", "is_stricter": False},
    ],
}  # fmt: skip
MODEL = {
    "model": "late", "spec_revision": 1, "spec_digest": DIGEST, "revision": 2, "champion": 2, "last_version": 2,
    "routes": [{"model_version": 2, "digest": DIGEST, "role": "primary", "share": 1.0, "features": {}}],
}  # fmt: skip
GATE = {
    "gate": "roc_auc.min",
    "passed": False,
    "observed": 0.5,
    "bound": 0.6,
    "message": "ROC AUC 0.500 is below 0.600",
}
ADAPTATION = {
    "strategy": "since", "rows": 2_340, "since": DAY, "half_life": None, "refitted": True, "gap_rows": 12,
    "window_start": DAY, "suspected_since": None, "reason": "the rows since then lead",
    "scores": [
        {"strategy": "since", "rows": 2_100, "loss": 0.1187, "advantage": None, "error": None, "needed": None},
        {"strategy": "fading", "rows": 9_000, "loss": 0.1204, "advantage": -0.0017, "error": 0.001, "needed": 0.002},
        {"strategy": "champion", "rows": 0, "loss": 0.1251, "advantage": -0.0064, "error": 0.001, "needed": 0.002},
    ],
}  # fmt: skip
VERSION = {
    "model": "late", "model_version": 1, "state": "rejected", "passed": False, "digest": DIGEST, "run_id": "run-1",
    "registered_at": DAY, "task": "binary", "metrics": {"roc_auc": 0.5}, "trigger": {"kind": "data"}, "gates": [GATE],
    "adaptation": ADAPTATION,
}  # fmt: skip
RUN = {
    "run_id": "run-2", "model": "late", "state": "failed", "trigger": {"kind": "drift"}, "started_at": DAY,
    "finished_at": None, "detail": "the disk is full (after 3 attempts)",
}  # fmt: skip
TOKEN = {
    "token_id": "0123456789ab", "name": "ada", "roles": ["engineer", "reader"], "created_at": DAY, "expires_at": None,
    "revoked_at": None,
}  # fmt: skip
PERIOD = {
    "model_version": 1, "digest": DIGEST, "role": "primary", "share": 1.0, "since": DAY, "until": None, "revision": 1,
    "decided_by": "registry", "reason": "",
}  # fmt: skip
LINEAGE = {
    "answer_rule": {"threshold": 0.1712, "coverage": None, "half_width": None, "rows": 1_200},
    "model": "late", "model_version": 1, "artifact": DIGEST, "artifact_bytes": 20_665, "state": "rejected",
    "trigger": {"kind": "drift", "detail": "temp drifted"}, "task": "binary", "metrics": {"roc_auc": 0.5},
    "parameters": {
        "kind": "lightgbm", "params": {"learning_rate": 0.048213, "num_leaves": 31},
        "search": {
            "planned": 40, "trials": 38, "pruned": 20, "failed": 1, "best": 16, "metric": "roc_auc", "value": 0.7311,
            "origin": "search",
        },
    },
    "notes": [{"code": "constant", "feature": "distance", "message": "the feature 'distance' is 7.0 everywhere"}],
    "gates": [GATE], "training": {
        "data": [{"table": "datasets/trips", "version": 3, "digest": DIGEST}], "as_of": DAY, "rows_trained": 900,
        "rows_holdout": 100, "spec_digest": DIGEST, "code_version": "1.0", "seed": 7,
        "adaptation": ADAPTATION,
        "function": {"function": "own.train:fit", "package": "own", "digest": DIGEST},
        "members": [
            {"model_version": None, "digest": None, "weight": 0.625, "mse": 0.1},
            {"model_version": 3, "digest": DIGEST, "weight": 0.375, "mse": 0.2},
        ],
    },
    "deployments": [PERIOD],
}  # fmt: skip
REPORT = {
    "quality": {
        "accepted": 3000,
        "quarantined": 12,
        "reasons": {"distance: below 0": 12},
        "examples": {"distance: below 0": "row 8 with -1"},
    },
    "notes": [],
    "data_version": {"table": "t", "version": 4, "digest": DIGEST},
}
READY = {"ready": True, "checks": {"kafka": "ok"}}
INPUTS = {
    "name": "late",
    "inputs": [{"name": "distance", "datatype": "FP32"}, {"name": "carrier", "datatype": "BYTES"}],
}
INFERRED = {
    "model_name": "late", "model_version": "2",
    "outputs": [{"name": "score", "data": [0.25]}, {"name": "label", "data": [0]}, {"name": "rondo.id", "data": ["a"]}],
}  # fmt: skip
LABEL = {"name": "late", "kind": "label", "models": ["late"]}
QUARANTINED = {"batch_id": "a", "row": 7, "reason": "distance: below 0", "content": '{"distance":-1}'}
UNKNOWN = {
    "code": "unknown_model",
    "detail": "there is no model 'nosuch'; there are late, new: apply its spec first (`rondo apply rondo.yaml`)",
}
ROLLOUT = {
    "model": "late", "candidate": 3, "champion": 2, "strategy": "canary", "state": "running", "verdict": "not_worse",
    "step": 2, "steps": [0.05, 0.25, 1.0], "share": 0.25, "began": "2013-03-01T12:00:00Z",
    "since": "2013-03-01T13:00:00Z", "answers": 4120, "scored": 61000, "outcomes": 52000, "blocks": 300,
    "block_seconds": 600.0, "difference": -0.0011, "half_width": 0.0007, "margin": 0.0021,
    "need": {"median": 240, "nine_of_ten": 560},
    "evidence": [
        {"verdict": "not_worse", "log_e": 1.5, "needed": 3.0}, {"verdict": "worse", "log_e": -4.0, "needed": 3.5},
    ],
    "candidate_errors": 1, "champion_errors": 2, "false_rollback_rate": 0.05, "min_answers": 2000,
    "ends": "2013-03-01T14:10:00Z", "then": "wait", "asks": "2013-03-08T13:00:00Z",
    "decisions": [
        {
            "at": "2013-03-01T12:00:00Z", "action": "rollout_began", "by": "registry", "state": "running", "step": 1,
            "share": 0.05, "verdict": "", "reason": "", "evidence": {},
        },
        {
            "at": "2013-03-01T12:30:00Z", "action": "rollout_state", "by": "ada", "state": "paused", "step": 1,
            "share": 0.05, "verdict": "", "reason": "lunch", "evidence": {"answers": 900, "outcomes": 0},
        },
        {
            "at": "2013-03-01T13:00:00Z", "action": "rollout_step", "by": "registry", "state": "running", "step": 2,
            "share": 0.25, "verdict": "not_worse", "reason": "", "evidence": {"answers": 2120, "outcomes": 20100},
        },
        {
            "at": "2013-03-01T13:30:00Z", "action": "promoted", "by": "ada", "state": "", "step": None,
            "share": None, "verdict": "", "reason": "", "evidence": {},
        },
    ],
}  # fmt: skip
JOB = {
    "job": "0123456789abcdef", "model": "late", "model_version": 2, "digest": DIGEST, "dataset": "trips",
    "data_version": 4, "requested_by": "ada", "requested_at": DAY, "state": "done", "rows": 3_000, "scored": 3_000,
    "refused": 12, "left": 0, "rows_per_second": None, "seconds_left": None, "started_at": DAY, "ended_at": DAY,
    "scores": {"table": "scores/late/0123456789abcdef", "version": 0, "digest": DIGEST}, "code": "", "reason": "",
}  # fmt: skip
RUNNING = JOB | {
    "job": "1123456789abcdef", "state": "running", "scored": 1_000, "left": 2_000, "rows_per_second": 250.0,
    "seconds_left": 8.0, "scores": None, "ended_at": None,
}  # fmt: skip
FAILED = JOB | {
    "job": "2123456789abcdef", "model_version": 3, "state": "failed", "scores": None, "code": "no_answer",
    "reason": "no replica answered",
}  # fmt: skip
_REQUESTED = {"model": "late", "status": "requested", "at": DAY}
_TRIAL = {"origin": "search", "state": "complete", "seconds": 2.5, "values": [0.7, 0.72], "detail": ""}
TRIALS = [
    _TRIAL | {"number": 0, "origin": "spec", "params": {"num_leaves": 31}, "value": 0.71},
    _TRIAL | {"number": 1, "params": {"num_leaves": 63}, "value": None, "state": "failed", "detail": "no memory"},
    *(
        _TRIAL | {"number": n, "params": {"learning_rate": n / 100, "num_leaves": 15}, "value": 0.6 + n / 100}
        for n in range(2, 14)
    ),
]
SCORING: dict[tuple[str, str], tuple[int, Any]] = {
    ("GET", "/v1/scoring-jobs"): (200, {"jobs": [RUNNING, FAILED, JOB]}),
    **{("GET", f"/v1/scoring-jobs/{each['job']}"): (200, each) for each in (JOB, RUNNING, FAILED)},
    ("GET", "/v1/scoring-jobs/none"): (404, {"code": "scoring_job_not_found", "detail": "there is no scoring job"}),
    ("POST", "/v1/models/late/versions/1/scoring-jobs"): (202, _REQUESTED | {"job": RUNNING["job"]}),
    ("POST", "/v1/models/late/versions/2/scoring-jobs"): (202, _REQUESTED | {"job": JOB["job"]}),
    ("POST", "/v1/models/late/versions/3/scoring-jobs"): (202, _REQUESTED | {"job": FAILED["job"]}),
}
ANSWERS: dict[tuple[str, str], tuple[int, Any]] = {
    ("GET", "/v1/rollouts"): (200, {"rollouts": [ROLLOUT, ROLLOUT | {"model": "asked", "state": "asking"}]}),
    ("GET", "/v1/models/late/rollout"): (200, ROLLOUT),
    ("POST", "/v1/models/late/rollout/pause"): (200, ROLLOUT | {"state": "paused"}),
    ("PUT", "/v1/specs"): (
        200,
        {"model": "late", "revision": 1, "digest": DIGEST, "changed": True, "warnings": ["slow"]},
    ),
    ("GET", "/v1/datasets"): (200, {"datasets": [DATASET_SPEC]}),
    ("DELETE", "/v1/datasets/weather?reason=unused"): (200, {"dataset": "weather", "revision": 3}),
    ("GET", "/v1/models"): (200, {"models": [MODEL]}),
    ("GET", "/v1/runs"): (200, {"runs": [RUN]}),
    ("GET", "/v1/runs?model=late"): (200, {"runs": [RUN]}),
    ("GET", "/v1/runs?model=new"): (200, {"runs": []}),
    ("GET", "/v1/models/new"): (200, MODEL | {"model": "new", "champion": None, "last_version": 0, "routes": []}),
    ("GET", "/v1/models/new/versions"): (200, {"versions": [], "next": None}),
    ("GET", "/v1/models/new/history"): (200, {"periods": []}),
    ("GET", "/v1/runs?model=nosuch"): (200, {"runs": []}),
    ("GET", "/v1/models/nosuch"): (404, UNKNOWN),
    ("GET", "/v1/models/nosuch/spec"): (404, UNKNOWN),
    ("GET", "/v1/models/late/spec"): (
        200,
        {
            "spec": {
                "task": "binary",
                "data": {"dataset": "trips", "entity": "id", "event_time": "at", "label": "late"},
                "features": {"distance": {"type": "float", "optional": False}},
            }
        },
    ),
    ("GET", "/v1/datasets/weather"): (200, {"contract": DIGEST, "columns": [], "data_version": None}),
    ("GET", "/v1/datasets/trips"): (
        200,
        {
            "data_version": None,
            "columns": [{"name": "id", "kind": "entity", "models": ["late", "early"]}, LABEL],
        },
    ),
    ("GET", "/v1/models/late/versions"): (200, {"versions": [VERSION], "next": 1}),
    ("GET", "/v1/models/late/versions?after=1"): (200, {"versions": [], "next": None}),
    ("GET", "/v1/models/late/history"): (200, {"periods": [PERIOD]}),
    ("GET", "/v1/models/late/versions/1/lineage"): (200, LINEAGE),
    ("GET", "/v1/models/late/versions/1"): (200, VERSION | {"evidence": {"trials": TRIALS}}),
    ("POST", "/v1/models/late/promote"): (200, MODEL),
    ("POST", "/v1/models/late/rollback"): (200, MODEL),
    ("POST", "/v1/models/late/train"): (202, {"model": "late", "trigger_id": "t", "status": "requested"}),
    ("POST", "/v1/models/new/promote"): (404, {"code": "unknown_model", "detail": "there is no model new"}),
    ("POST", "/v1/datasets/trips/batches/a"): (201, REPORT),
    ("POST", "/v1/datasets/trips/batches/again"): (200, REPORT),
    ("POST", "/v1/datasets/trips/batches/dropped"): (200, REPORT | {"dropped_columns": ["terminal", "gate"]}),
    ("POST", "/v1/datasets/trips/batches/bad"): (
        422,
        {
            "code": "batch_rejected",
            "detail": "nothing of this batch was used; `reasons` says why. Correct it and send it again, under the"
            " same id or another",
            "reasons": ["no column carrier"],
        },
    ),
    ("GET", "/v1/datasets/trips/data-version"): (200, {"dataset": "trips", "data_version": 4}),
    ("GET", "/v1/datasets/empty/data-version"): (200, {"dataset": "empty", "data_version": None}),
    **SCORING,
    ("GET", "/v1/datasets/trips/quarantine?limit=20"): (200, {"rows": [QUARANTINED]}),
    ("GET", "/v1/datasets/trips/quarantine?limit=5&batch_id=a"): (200, {"rows": []}),
    ("GET", "/v1/datasets/trps/quarantine?limit=20"): (200, {"rows": []}),
    ("GET", "/v1/datasets/trps"): (404, {"code": "not_found", "detail": "no model has the dataset 'trps'"}),
    ("DELETE", "/v1/models/late?reason=obsolete"): (200, {"model": "late", "revision": 3}),
    ("DELETE", "/v1/models/late?reason="): (200, {"model": "late", "revision": 3}),
    ("DELETE", "/v1/models/new?reason="): (
        403,
        {"type": "urn:rondo:problem:forbidden", "status": 403, "code": "forbidden", "detail": "this needs approver"},
    ),
    ("POST", "/v1/tokens"): (201, TOKEN | {"token": "rondo_0123456789ab_secret"}),
    ("GET", "/v1/tokens"): (200, {"tokens": [TOKEN, TOKEN | {"revoked_at": DAY}]}),
    ("POST", "/v1/tokens/0123456789ab/rotate"): (200, TOKEN | {"token": "rondo_0123456789ab_other"}),
    ("DELETE", "/v1/tokens/0123456789ab"): (200, TOKEN | {"revoked_at": DAY}),
    ("GET", "/readyz"): (200, READY),
    ("GET", "/v2/models/late"): (200, INPUTS),
    ("POST", "/v2/models/late/infer"): (200, INFERRED),
    ("GET", "/v2/models/lat"): (
        404,
        {
            "error": "no version is deployed of the model 'lat': did you mean late?",
            "detail": "no version is deployed of the model 'lat': did you mean late?",
            "code": "unknown_model",
        },
    ),
}


def summary(model: str, **fields: Any) -> dict[str, Any]:
    """Return a model as the monitor lists it, by default one whose windows are all open."""
    unknown = dict.fromkeys(("version", "no_verdict", "last_window", "watermark"))
    return {"model": model, "open_alerts": [], "not_monitored_share": 0.0, "late_outcomes": 0} | unknown | fields


# Some paths of the monitor are also paths of the registry.
MONITOR_ANSWERS: dict[tuple[str, str], tuple[int, Any]] = {
    ("GET", "/readyz"): (200, READY),
    ("GET", "/v1/models/late/drift"): (
        200,
        {"model": "late", "unmatched": {"predictions": 1_200, "outcomes": 3}, "dropped": {"late_outcomes": 2}},
    ),
    ("GET", "/v1/models/nosuch/drift"): (404, UNKNOWN),
    ("GET", "/v1/models"): (
        200,
        {
            "models": [
                summary("late", version=2, no_verdict="336 of 500 rows", last_window=DAY, open_alerts=["no_verdict"]),
                summary("new"),
            ]
        },
    ),
}


class Services(BaseHTTPRequestHandler):
    """Answers as the services do."""

    answers = ANSWERS

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        status, body = self.answers[self.command, self.path]
        content = orjson.dumps(body)
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - the standard library's names

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Monitor(Services):
    """Answers as the monitor does."""

    answers = MONITOR_ANSWERS


def serving(services: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Yield the address of a server that answers until the end of the generator."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), services)
    # The server checks at this interval whether it is to end.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
