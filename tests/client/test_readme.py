"""The Python of the README runs as it stands, with features that the flights' spec has."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rondo.contracts.spec_file import parse_spec

if TYPE_CHECKING:
    import pytest
    from rondo.client import Connection

ROOT = Path(__file__).resolve().parents[2]
SPEC = parse_spec((ROOT / "examples/flights/rondo.yaml").read_text("utf-8"))


async def test_the_snippet_asks_for_a_prediction(serving: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    snippet = re.search(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert snippet
    monkeypatch.setenv("RONDO_KAFKA", serving.kafka)
    monkeypatch.setenv("RONDO_API_TOKEN", "x")
    for name in ("REGISTRY", "INGESTION", "SERVING"):
        monkeypatch.setenv(f"RONDO_{name}_URL", "http://127.0.0.1:1")
    names: dict[str, Any] = {}
    await asyncio.to_thread(exec, snippet[1], names)
    assert (names["answer"].model, names["answer"].score) == (SPEC.model, names["features"]["distance"] / 1000)
    needed = {name for name, feature in SPEC.features.items() if not feature.optional}
    assert needed <= names["features"].keys() <= SPEC.features.keys()
    listed = {name: feature.values for name, feature in SPEC.features.items() if feature.values}
    assert all(names["features"][name] in values for name, values in listed.items())
