"""The example of docs/models-made-elsewhere.md converts its pipeline, and sends a graph that answers like it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime
import pytest
import rondo.client
from rondo.client.asynchronous import AsyncRondo
from rondo.client.connection import Connection
from rondo.client.registration.outcome import Registration
from rondo.contracts.spec.model import ModelSpec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "models-made-elsewhere.md").read_text("utf-8")
SPEC = ModelSpec.model_validate(
    {
        "model": "late",
        "data": {"dataset": "flights", "entity": "id", "event_time": "at", "label": "late"},
        "features": {"carrier": {"type": "category"}, "distance": {"type": "float"}},
    }
)


@pytest.mark.medium
def test_the_example_registers_a_graph_with_the_answers_of_its_pipeline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[bytes] = []

    async def spec(_: AsyncRondo, model: str) -> dict[str, Any]:
        assert model == SPEC.model
        return {"spec": SPEC.as_dict()}

    async def post(_: AsyncRondo, model: str, content: bytes, reason: str) -> Registration:
        sent.append(content)
        assert reason
        return Registration(model=model, trigger_id="t", artifact="a", version=2, status="promoted")

    async def updates(_: AsyncRondo, latest: Registration) -> AsyncIterator[Registration]:
        yield latest

    for name, method in (("spec", spec), ("_post", post), ("_updates", updates)):
        monkeypatch.setattr(AsyncRondo, name, method)
    unused = "http://unused:1"
    connection = Connection(kafka="unused:1", ingestion=unused, registry=unused, serving=unused, token="unused")
    monkeypatch.setattr(Connection, "discover", lambda: connection)
    found = re.search(r"^```python\n(from datetime.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    names: dict[str, Any] = {}
    exec(found[1], names)  # noqa: S102 - the example itself
    assert capsys.readouterr().out.startswith("promoted 2")
    session = onnxruntime.InferenceSession(sent[0])
    rows = names["rows"][:20]
    inputs = {name: rows[name].to_numpy().reshape(-1, 1) for name in ("carrier", "distance")}
    answers = session.run(None, inputs | {"distance": inputs["distance"].astype("f4")})
    native = names["estimator"].predict_proba(rows)
    assert any(
        getattr(each, "shape", ()) == native.shape and each == pytest.approx(native, abs=1e-5) for each in answers
    )
    assert rondo.client.register is names["register"]
