"""Models made elsewhere in the whole loop: one is promoted, one fails a gate, and one can't be evaluated."""

from __future__ import annotations

import asyncio
import io
import re
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.client import AsyncRondo, Connection
from rondo.client.cli.command import app
from rondo.client.registration.conversion import convert
from rondo.embedded.stack import Stack
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from typer.testing import CliRunner

from tests.e2e import small_model

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

SPEC = small_model.SPEC.replace("retrain: {on: [drift]}", "retrain: {on: []}") + "gates: {roc_auc: {min: 0.6}}\n"
FEATURES = ("zone", "distance")


def fitted(rows: pl.DataFrame, labels: pl.Series) -> Any:
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["zone"]), (StandardScaler(), ["distance"]), sparse_threshold=0
    )
    return make_pipeline(encoder, LogisticRegression()).fit(rows.select(*FEATURES), labels)


@pytest.mark.timeout(300)
@pytest.mark.slow
async def test_a_model_made_elsewhere_is_gated_promoted_and_serves(tmp_path: Path) -> None:
    batch = small_model.rides(2_000)
    rows = pl.read_parquet(io.BytesIO(batch))
    good, poor = fitted(rows, rows["tipped"]), fitted(rows, 1 - rows["tipped"])
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(Stack(tmp_path / "home"))
        rondo = await exits.enter_async_context(AsyncRondo(Connection.of_stack(stack.home)))

        async def register(name: str, content: bytes) -> Result:
            (tmp_path / name).write_bytes(content)
            command = ["register", small_model.MODEL, str(tmp_path / name), "--reason", "our own"]
            return await asyncio.to_thread(CliRunner().invoke, app, command, env={"RONDO_HOME": str(stack.home)})

        await rondo.apply(SPEC)
        await rondo.publish(small_model.DATASET, "first", batch, small_model.PARQUET)
        await small_model.until_served(rondo, small_model.MODEL)
        spec = (await rondo.spec(small_model.MODEL))["spec"]
        files = {name: convert(each, spec).content for name, each in (("good", good), ("poor", poor))}

        refused = await register("odd.onnx", files["good"].replace(b"distance", b"mileages"))
        assert refused.exit_code == 1
        assert re.search("refused .*: mileages ", refused.stdout)
        rejected = await register("poor.onnx", files["poor"])
        assert rejected.exit_code == 3
        assert re.search("tips: version 2, rejected .*ROC AUC", rejected.stdout)
        promoted = await register("good.onnx", files["good"])
        assert promoted.stdout.startswith("tips: version 3, promoted")
        assert promoted.exit_code == 0

        asked = {"zone": "a", "distance": 7.5}
        async with asyncio.timeout(60):
            answer = await rondo.predict(small_model.MODEL, asked)
            while answer.model_version < 3:
                answer = await rondo.predict(small_model.MODEL, asked)
        expected = good.predict_proba(pl.DataFrame([asked]))[0, 1]
        assert answer.score == pytest.approx(expected, abs=1e-5)
        again = await register("good.onnx", files["good"])
        assert again.exit_code == 1
        assert "version 3 of tips" in again.stderr

        # An estimator, converted by the client. The gates treat it like all others.
        other = fitted(rows.head(1_000), rows["tipped"].head(1_000))
        registered = await rondo.register(
            small_model.MODEL, other, rows=rows.head(100).select(*FEATURES), trained_until=rows["started"][999]
        )
        assert (registered.status, registered.version) == ("promoted", 4)
        lineage = await rondo.lineage(small_model.MODEL, 4)
        assert (lineage["trigger"]["kind"], lineage["trigger"]["artifact"]) == ("registration", registered.artifact)
        entries = (await rondo.audit(small_model.MODEL))["entries"]
        requests = [entry for entry in entries if entry["action"] == "registration_requested"]
        assert [entry["evidence"]["reason"] for entry in requests] == ["our own"] * 3 + [""]
