"""One version of a model as a BentoML service, without Rondo.

`rondo export` copies this file next to `model.onnx` and `model.json`, which has the version, its digest and its
features. The outputs of the model are in the metadata of the graph.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
import onnxruntime
from bentoml.exceptions import InvalidArgument

_TASK, _OUTPUT, _PROBABILITIES = "rondo.task", "output.", "probabilities"
_LARGEST_FLOAT32 = 3.4028234663852886e38
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "category": ((str,), "a text"),
    "float": ((int, float), "a number"),
    "int": ((int, float), "a whole number"),
    "bool": ((bool,), "true or false"),
}


@bentoml.service
class Model:
    """Answers rows as Rondo's serving does: the same graph, and the same data contract for each feature."""

    def __init__(self) -> None:
        folder = Path(__file__).parent
        self._about: dict[str, Any] = json.loads((folder / "model.json").read_text())
        content = (folder / "model.onnx").read_bytes()
        found = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if found != self._about["digest"]:
            raise ValueError(
                f"model.onnx has the digest {found}, not {self._about['digest']}: export the version again"
            )
        self._session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        task = json.loads(self._session.get_modelmeta().custom_metadata_map[_TASK])
        labels: list[str] = task.get("labels", [])
        self._labels: list[Any] = [int(label) for label in labels] if task.get("numbers") else labels
        self._outputs = [output.name for output in self._session.get_outputs()]

    @bentoml.api
    def describe(self) -> dict[str, Any]:
        """Return the model, its version and digest, and its features."""
        return self._about

    @bentoml.api
    def predict(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the outputs of each row by name. A row has one value per feature.

        Optional features may be absent or null. The outputs are those of `PredictionMade.output`: numbers, a label, and
        probabilities by class.
        """
        if not rows:
            return []
        _check(rows, self._about["features"], ignore_unknown=self._about["ignore_unknown_fields"])
        feeds = {name: _column(name, feature, rows) for name, feature in self._about["features"].items()}
        names = [name.removeprefix(_OUTPUT) for name in self._outputs]
        found = self._session.run(self._outputs, feeds)
        columns = [_values(name, values, self._labels) for name, values in zip(names, found, strict=True)]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(name: str, values: Any, labels: list[Any]) -> list[Any]:
    """Return the values of an output for answers. `values` has the shape [N, 1], or [N, labels] for probabilities."""
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise InvalidArgument(f"row {row}: the model gave no finite prediction for these features")
    if name == _PROBABILITIES:
        keys = [str(label) for label in labels]
        return [dict(zip(keys, map(_number, row), strict=True)) for row in values]
    if np.issubdtype(values.dtype, np.integer):
        return [labels[place] for place in values.reshape(-1).tolist()]
    return [_number(value) for value in values.reshape(-1)]


def _number(value: Any) -> float:
    """Return a float32 as the shortest number that reads back as the same float32."""
    return float(str(value))


def _column(name: str, feature: dict[str, Any], rows: list[dict[str, Any]]) -> Any:
    """Return the values of a feature, shape [N, 1]. A missing text is empty, and a missing number is NaN."""
    values = [row.get(name) for row in rows]
    if feature["type"] == "category":
        return np.array([[value or ""] for value in values], dtype=np.object_)
    return np.array([[np.nan if value is None else value] for value in values], dtype=np.float32)


def _check(rows: list[dict[str, Any]], features: dict[str, Any], *, ignore_unknown: bool) -> None:
    for number, row in enumerate(rows):
        if not ignore_unknown and (unknown := sorted(row.keys() - features.keys())):
            raise InvalidArgument(
                f"row {number}: the model has no feature {unknown[0][:60]!r}; it has {', '.join(features)}"
            )
        for name, feature in features.items():
            if problem := _problem(row.get(name), feature):
                raise InvalidArgument(f"row {number}: the feature {name!r} {problem}")


def _problem(value: Any, feature: dict[str, Any]) -> str | None:
    if value is None or (value == "" and feature["type"] == "category"):
        return None if feature["optional"] else "is missing"
    types, expected = _TYPES[feature["type"]]
    if not isinstance(value, types) or (isinstance(value, bool) and feature["type"] != "bool"):
        return f"must be {expected}"
    if feature["type"] == "category":
        return None if feature["values"] is None or value in feature["values"] else "has a value that is not allowed"
    number: Any = value
    try:
        number = float(number)
    except OverflowError:  # an integer beyond the range of floats
        number = np.inf if number > 0 else -np.inf
    if feature["type"] == "int" and not number.is_integer():
        return f"must be {expected}"
    low, high = (feature[key] if feature[key] is not None else default for key, default in _BOUNDS)
    within = np.float32(low) <= np.float32(number) <= np.float32(high)
    return None if within else f"must be from {low:g} to {high:g}"


_BOUNDS = (("min", -_LARGEST_FLOAT32), ("max", _LARGEST_FLOAT32))
