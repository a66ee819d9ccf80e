"""Builds models of every task, and requests. Answers them without Kafka and HTTP."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import onnx
from onnx import TensorProto, helper
from rondo.chassis.artifacts import digest_of
from rondo.contracts.events import logs
from rondo.contracts.spec.model import Feature
from rondo.contracts.tasks.base import FittedTask, Interval
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.vocabularies import RouteRole
from rondo.serving.inference.service import infer
from rondo.serving.models.answer_cache import AnswerCache
from rondo.serving.models.loaded_version import Compared, LoadedVersion, ServedModel
from rondo.serving.models.onnx_runtime import OnnxModel
from rondo.serving.models.serving_table import ServingTable
from rondo.serving.prediction_log.batch import VersionLog
from rondo.serving.requests.schema import RequestSchema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rondo.serving.errors import RequestRefusedError
    from rondo.serving.models.serving_table import ServedModels

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
FEATURES = {
    "distance": Feature(type="float"),
    "seats": Feature(type="int", optional=True),
    "night": Feature(type="bool"),
    "carrier": Feature(type="category", optional=True),
}
# A class has the name of an output, one is not ASCII, and one needs escapes in JSON.
CLASSES = ("score", "Übergröße", 'a "b"\\')
BINARY = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=5.0)
TEXTS = FittedTask(task="binary", labels=("on time", "verspätet"), threshold=5.0)
MULTICLASS = FittedTask(task="multiclass", labels=CLASSES)
NUMBERED = FittedTask(task="multiclass", labels=("-1", "7"), numbers=True)
REGRESSION = FittedTask(task="regression")
INTERVAL = FittedTask(task="regression", interval=Interval(coverage=0.9, half_width=2.5))
_TENSORS = {"number": TensorProto.FLOAT, "label": TensorProto.INT64, "probabilities": TensorProto.FLOAT}


def build_model(
    factor: float = 1.0,
    features: Mapping[str, Feature] = FEATURES,
    fitted: FittedTask = BINARY,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Return a model as the trainer builds it, with its metadata unless other `metadata` are given.

    The raw prediction is `factor` times the first number among the features. For the kth of K classes it is k/K of
    that.
    """
    rules = task_named(fitted.task)
    kinds = {
        name: TensorProto.STRING if feature.type == "category" else TensorProto.FLOAT
        for name, feature in features.items()
    }
    number = next(name for name, kind in kinds.items() if kind == TensorProto.FLOAT)
    outputs = rules.outputs(fitted)
    width = len(fitted.labels) if any(each.kind == "probabilities" for each in outputs) else 1
    factors = [factor * place / width for place in range(1, width + 1)]
    graph = helper.make_graph(
        [
            helper.make_node("Mul", [number, "the.factors"], ["raw.number"]),
            helper.make_node("IsNaN", ["raw.number"], ["raw.missing"]),
            helper.make_node("Where", ["raw.missing", "the.zero", "raw.number"], ["raw.prediction"]),
            *rules.head(fitted, "raw.prediction", helper.make_node),
        ],
        "test",
        [helper.make_tensor_value_info(name, kind, [None, 1]) for name, kind in kinds.items()],
        [
            helper.make_tensor_value_info(
                each.tensor, _TENSORS[each.kind], [None, width if each.kind == "probabilities" else 1]
            )
            for each in outputs
        ],
        [
            helper.make_tensor("the.factors", TensorProto.FLOAT, [1, width], factors),
            helper.make_tensor("the.zero", TensorProto.FLOAT, [1], [0.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    props = {FittedTask.METADATA: fitted.model_dump_json()} if metadata is None else metadata
    helper.set_model_props(model, dict(props))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def beside(
    version: Callable[..., LoadedVersion], share: float, *, all_rows: bool = True, role: str = RouteRole.CANARY
) -> ServedModel:
    """Return a rollout of version 2, whose scores are twice those of version 1, and which answers `share` (0 to 1)."""
    primary, other = version(), version(2, 2.0).in_role(role)
    both = Compared(primary, other, other.in_role(RouteRole.SHADOW), all_rows=all_rows)
    return ServedModel("delay", 1, (other, primary), (share, 1 - share), compared=both)


@dataclass(frozen=True)
class Rollout:
    """40 keys in a rollout: the version that answers each, and the number of logged rows by version and role."""

    versions: Mapping[str, int]
    logged: Counter[tuple[int, str]]


def in_rollout(models: ServedModels, rolling: ServedModel) -> Rollout:
    """Serve a rollout of version 2 next to version 1, and return the expected result of one row for each key."""
    models.swap(rolling)
    versions = {f"N{number}": rolling.version_for(f"N{number}").model_version for number in range(40)}
    canary = [*versions.values()].count(2)
    return Rollout(versions, +Counter({(1, "primary"): 40, (2, "canary"): canary, (2, "shadow"): 40 - canary}))


def rows_by_role(batches: Iterable[Any]) -> Counter[tuple[int, str]]:
    """Return the number of logged rows by version and role."""
    rows: Counter[tuple[int, str]] = Counter()
    for batch in batches:
        known = logs.metadata(batch)
        rows[int(known["model_version"]), known["role"]] += batch.num_rows
    return rows


def version_of(model: str, number: int, content: bytes, features: Mapping[str, Feature]) -> LoadedVersion:
    """Return a version as the loader makes it."""
    loaded, digest = OnnxModel(content, features), digest_of(content)
    log = VersionLog(model, number, digest, features, loaded.outputs)
    schema, cache = RequestSchema(model, features), AnswerCache(model, loaded.outputs)
    return LoadedVersion(model, number, digest, schema, loaded.outputs, loaded, log, cache)


@dataclass
class Inferred:
    """The results of a micro-batch by place. `logged` are the rows of the log with the version that answered."""

    ids: dict[int, str] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    outputs: dict[int, dict[str, Any]] = field(default_factory=dict)
    refused: dict[int, RequestRefusedError] = field(default_factory=dict)
    logged: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    records: int = 0

    @property
    def scores(self) -> dict[int, float]:
        """The scores by place."""
        return {place: output["score"] for place, output in self.outputs.items()}

    def codes(self) -> dict[int, str]:
        return {place: error.code for place, error in self.refused.items()}


def request(number: int, model: str = "delay", **more: Any) -> bytes:
    """Return a request for the model that `tests/serving/conftest.py` makes. Its score is `number` times a factor."""
    features = {"distance": number, "night": False}
    return json.dumps({"id": f"r{number}", "model": model, "features": features} | more).encode()


def infer_values(
    values: Sequence[bytes | None], *models: ServedModel, unserved: Mapping[str, str] | None = None
) -> Inferred:
    """Parse and answer a micro-batch as the stream does."""
    table = ServingTable({served.model: served for served in models}, unserved or {})
    parsed = table.parser.parse(values)
    found = Inferred(refused=dict(parsed.refused))
    for schema, places, rows in parsed.groups:
        inference = infer(table.models[schema.model], rows, lambda: NOW)
        found.refused |= {places[row]: error for row, error in inference.refused.items()}
        for scored in inference.scored:
            mine = [places[row] for row in scored.numbers]
            found.ids |= dict(zip(mine, scored.rows.ids, strict=True))
            found.versions |= dict.fromkeys(mine, scored.version.model_version)
            for name, column in scored.outputs.items():
                for place, value in zip(mine, column.tolist(), strict=True):
                    found.outputs.setdefault(place, {})[name] = value
            for record in scored.version.log.encode(scored.log()):
                found.records += 1
                batch = logs.decode(record)
                found.metadata = logs.metadata(batch)
                number = int(found.metadata["model_version"])
                found.logged += [row | {"model_version": number} for row in batch.to_pylist()]
    return found
