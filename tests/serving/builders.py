"""Builds requests and answers them without Kafka and HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.contracts.events import logs
from rondo.serving.inference.service import infer
from rondo.serving.models.serving_table import ServingTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.serving.errors import RequestRefusedError
    from rondo.serving.models.loaded_version import ServedModel

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)


@dataclass
class Inferred:
    """What a micro-batch gave, by place in it; `logged` are the rows of the log with the version that answered."""

    ids: dict[int, str] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    refused: dict[int, RequestRefusedError] = field(default_factory=dict)
    logged: list[dict[str, Any]] = field(default_factory=list)
    records: int = 0

    def codes(self) -> dict[int, str]:
        return {place: error.code for place, error in self.refused.items()}


def request(number: int, model: str = "delay", **more: Any) -> bytes:
    """Return a request for the model that `tests/serving/conftest.py` makes; its score is `number` times a factor."""
    features = {"distance": number, "night": False}
    return json.dumps({"id": f"r{number}", "model": model, "features": features} | more).encode()


def infer_values(
    values: Sequence[bytes | None], *models: ServedModel, unserved: Mapping[str, str] | None = None
) -> Inferred:
    """Parse and answer a micro-batch as the stream does."""
    table = ServingTable({served.model: served for served in models}, unserved or {})
    parsed = table.parser.parse(values)
    found = Inferred(refused=dict(parsed.refused))
    for schema, places, requests in parsed.groups:
        inference = infer(table.models[schema.model], schema.rows(requests), lambda: NOW)
        found.refused |= {places[row]: error for row, error in inference.refused.items()}
        for scored in inference.scored:
            mine = [places[row] for row in scored.numbers]
            found.ids |= dict(zip(mine, scored.rows.ids, strict=True))
            found.versions |= dict.fromkeys(mine, scored.version.model_version)
            found.scores |= dict(zip(mine, scored.scores.tolist(), strict=True))
            for record in scored.version.log.encode([scored.log]):
                found.records += 1
                batch = logs.decode(record)
                number = int(logs.metadata(batch)["model_version"])
                found.logged += [row | {"model_version": number} for row in batch.to_pylist()]
    return found
