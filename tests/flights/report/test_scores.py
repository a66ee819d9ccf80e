"""The scores of the first model are those that serving gives with the same artifact."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from rondo.contracts.spec.file import parse_spec
from rondo.flights.dataset.flights import FEATURES
from rondo.flights.report.scores import FirstModel

from tests.serving.builders import build_model

ROOT = Path(__file__).resolve().parents[3]
SPEC = parse_spec((ROOT / "examples/flights/rondo.yaml").read_text("utf-8"))


def test_the_first_model_scores_every_flight() -> None:
    texts = {name for name, feature in SPEC.features.items() if feature.type == "category"}
    columns = {name: ["AA", None] if name in texts else [2.0, None] for name in FEATURES}
    flights = pl.DataFrame(columns, schema_overrides=dict.fromkeys(set(FEATURES) - texts, pl.Float64))
    scores = FirstModel(build_model(0.25, SPEC.features), FEATURES).outputs(flights)
    assert (scores.dtype, scores.to_list()) == (pl.Float32, [0.5, 0.0])
    assert FirstModel(build_model(0.25, SPEC.features), FEATURES).outputs(flights.head(0)).is_empty()
