"""Warms up a version before it serves. It parses and scores two requests, and encodes their log.

One-time costs (lazy imports of pyarrow, allocations of onnxruntime) occur here, outside the stream's thread.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.serving.errors import VersionRefusedError
from rondo.serving.inference.scoring import score_batch
from rondo.serving.inference.service import infer
from rondo.serving.models.loaded_version import ServedModel
from rondo.serving.models.serving_table import ServingTable
from rondo.serving.requests.limits import example

if TYPE_CHECKING:
    from rondo.serving.models.loaded_version import LoadedVersion


def warm_up(version: LoadedVersion, *, live: bool = True) -> float:
    """Answer a request with an allowed value for every feature, and one without the optional features.

    Return the seconds per row without the answer cache. A live version scores twice, and the first time includes
    one-time costs. The shorter time counts, because a model with an answer cache keeps this pace.

    A version that is not `live` has no log and no metrics, because their labels would stay for each model in a request.

    Raises:
        VersionRefusedError: the version does not give finite predictions for both in one inference.

    """
    features = {name: example(feature) for name, feature in version.schema.features.items()}
    required = {name: features[name] for name, feature in version.schema.features.items() if not feature.optional}
    values = [
        json.dumps({"id": "warm-up", "model": version.model, "features": each}).encode()
        for each in (features, required)
    ]
    served = ServedModel(version.model, 0, (version,), (1.0,))
    parsed = ServingTable({version.model: served}).parser.parse(values)
    problems = [str(error) for error in parsed.refused.values()]
    took = 0.0
    for _, _, rows in parsed.groups:
        began = time.perf_counter()
        outputs = score_batch(version, rows.columns, len(rows), timed=live)
        seconds = time.perf_counter() - began
        if outputs is None:
            problems.append("the model fails, or does not return each output for each row")
        if not live:
            if outputs is not None and not version.outputs.answerable(outputs).all():
                problems.append("the model returns an output that is not finite, or no label")
            took += seconds / len(rows)
            continue
        began = time.perf_counter()
        inference = infer(served, rows, lambda: datetime.now(UTC))
        took += min(seconds, time.perf_counter() - began) / len(rows)
        problems += map(str, inference.refused.values())
        for scored in inference.scored:
            list(version.log.encode(scored.log()))
    if problems:
        reason = f"the warm-up inference failed ({problems[0]}); train again"
        raise VersionRefusedError(version.model, version.model_version, reason)
    return took
