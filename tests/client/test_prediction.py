"""An answer has all outputs of its model by name, and None for outputs that the model does not have."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from rondo.client import Prediction
from rondo.client.prediction import decode_answer, shown

NAMES = ("score", "label", "value", "interval", "probabilities")
CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"score": 0.124, "label": 0}, {"score": 0.124, "label": 0}, "label 0, score 0.124"),
    ({"score": 0.124, "label": "on time"}, {"score": 0.124, "label": "on time"}, "label on time, score 0.124"),
    (
        {"label": "eiche", "score": 0.6, "probabilities": {"score": 0.4, "eiche": 0.6}},
        {"label": "eiche", "score": 0.6, "probabilities": {"score": 0.4, "eiche": 0.6}},
        "label eiche, score 0.6",
    ),
    (
        {"label": 7, "score": 0.6, "probabilities": {"-1": 0.4, "7": 0.6}},
        {"label": 7, "score": 0.6, "probabilities": {"-1": 0.4, "7": 0.6}},
        "label 7, score 0.6",
    ),
    ({"value": 12345.678}, {"value": 12345.678}, "value 12,345.7"),
    (
        {"value": 12.5, "low": 10.0, "high": 15.0}, {"value": 12.5, "interval": (10.0, 15.0)},
        "value 12.5, low 10, high 15",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("output", "names", "text"), CASES, ids=range(len(CASES)))
def test_an_answer_of_each_task(output: dict[str, Any], names: dict[str, Any], text: str) -> None:
    made = {
        "model": "m", "id": "a", "model_version": 3, "digest": f"sha256:{0:064x}", "made_at": "2013-03-01T12:00:00Z",
        "output": output,
    }  # fmt: skip
    answer = decode_answer(orjson.dumps(made))
    assert (answer.id, answer.model, answer.model_version, answer.digest) == ("a", "m", 3, made["digest"])
    assert {name: getattr(answer, name) for name in NAMES} == dict.fromkeys(NAMES) | names
    assert type(answer.label) is type(names.get("label"))
    assert shown(answer.output) == text
    assert Prediction.model_validate_json(answer.model_dump_json()) == answer
    assert orjson.loads(answer.model_dump_json())["output"] == output
