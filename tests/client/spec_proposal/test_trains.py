"""A proposal fits its file: ingestion accepts the rows, and the trainer's pipeline makes a model of them."""

from __future__ import annotations

import gzip
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rondo.client.spec_proposal import files
from rondo.client.spec_proposal.proposal import Wishes, propose
from rondo.client.spec_proposal.render import as_yaml
from rondo.client.spec_proposal.roles import Chosen
from rondo.contracts.batch_files.formats import CONTENT_TYPES, EXTENSIONS, GZIP_SUFFIX, split_name
from rondo.contracts.spec.file import parse_spec
from rondo.ingestion.validation import file_formats
from rondo.ingestion.validation.contract import contract_of
from rondo.ingestion.validation.decision import AcceptedBatch, decide
from rondo.trainer.dataset.columns import in_order
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.worker.app import pipeline

from tests.client.spec_proposal.builders import Columns, checks, columns, each, write_csv
from tests.support.parameters import combinations

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.spec.model import ModelSpec

ROWS = 400
NOW = datetime(2026, 1, 1, tzinfo=UTC)
USUAL = (".csv", ".jsonl", ".parquet")
OTHERS = [suffix for each in CONTENT_TYPES for suffix in (each, f"{each}.gz") if suffix not in USUAL]
LABELS: dict[str, tuple[str, Any]] = {
    "zero and one": ("binary", lambda size: int(size > 5)),
    "two texts": ("binary", lambda size: "Ja" if size > 5 else "Nein"),
    "two numbers": ("binary", lambda size: 2 if size > 5 else 1),
    "booleans": ("binary", lambda size: size > 5),
    "classes": ("multiclass", lambda size: ["small", "middle", "large"][int(size // 3.4)]),
    "whole classes": ("multiclass", lambda size: int(size // 2)),
    "numbers": ("regression", lambda size: round(size * 3.7 + 1, 3)),
}


def orders(label: Any) -> Columns:
    """Return rows of every kind of feature, with missing values, and a label that depends on one of them."""
    draw = random.Random(3)
    sizes = [draw.uniform(0, 10) for _ in range(ROWS)]
    return columns(
        ROWS,
        size=[round(size + draw.gauss(0, 0.5), 3) for size in sizes],
        shop=each(lambda n: "äbc"[n % 3], ROWS),
        store_id=each(lambda n: n % 4, ROWS),
        items=each(lambda n: n * 7 % 11, ROWS),
        rebate=each(lambda n: None if n % 5 == 0 else n % 13 / 2, ROWS),
        gift=each(lambda n: n % 2 == 0, ROWS),
        remark=each(lambda n: f"remark {n}", ROWS),
        booked_at=each(lambda n: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=5 * n), ROWS),
        label=[label(size) for size in sizes],
    )


def written(tmp_path: Path, suffix: str, found: Columns) -> Path:
    """Write a file of any format that `publish` takes, compressed if the suffix ends with `.gz`."""
    path, plain = tmp_path / f"orders{suffix}", suffix.removesuffix(GZIP_SUFFIX)
    if plain in (".csv", ".tsv"):
        write_csv(path, found, delimiter="," if plain == ".csv" else "\t")
    elif plain == ".parquet":
        pq.write_table(pa.table(found), path)
    elif plain in (".arrow", ".arrows"):
        make = pa.ipc.new_file if plain == ".arrow" else pa.ipc.new_stream
        with make(path, (table := pa.table(found)).schema) as writer:
            writer.write_table(table)
    else:
        path.write_bytes(b"\n".join(orjson.dumps(row) for row in pa.table(found).to_pylist()))
    if plain != suffix:
        path.write_bytes(gzip.compress(path.read_bytes()))
    return path


def accepted(path: Path, spec: ModelSpec) -> AcceptedBatch:
    """Decide about a file as ingestion does, after decompression."""
    file_format = EXTENSIONS[split_name(path.name)[1]]
    if path.suffix == GZIP_SUFFIX:
        path.write_bytes(gzip.decompress(path.read_bytes()))
    decision = decide(file_formats.read(path, file_format), file_format, contract_of(spec.data.dataset, [spec]), NOW)
    assert isinstance(decision, AcceptedBatch), decision
    return decision


def with_few_trees(spec: ModelSpec) -> ModelSpec:
    trainer = spec.trainer.model_copy(update={"params": {**spec.trainer.params, "n_estimators": 5}})
    return spec.model_copy(update={"trainer": trainer})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "suffix"),
    [*combinations(list(LABELS), USUAL), *combinations(["two texts"], OTHERS)],
)
def test_the_rows_of_a_file_are_accepted_and_train(tmp_path: Path, kind: str, suffix: str) -> None:
    task, label = LABELS[kind]
    path = written(tmp_path, suffix, orders(label))
    proposal = propose(files.read(path), "orders", Wishes(Chosen(event_time="placed_at")), NOW)
    assert proposal.label.task == task
    assert [column.name for column in proposal.left_out] == ["remark"]
    spec = parse_spec(as_yaml(proposal))
    batch = accepted(path, spec)
    assert (batch.rows.height, batch.quarantined.height) == (ROWS, 0)
    assert batch.rows["booked_at"].sort()[1].startswith("2024-01-01")
    assert spec.prepare.dates.keys() == {"booked_at"}
    candidate = pipeline(1).fit(with_few_trees(spec), TrainingSet(in_order(spec, batch.rows), (), NOW, None, NOW))
    assert candidate.rows_trained == 360
    assert candidate.rows_trained + candidate.holdout.height >= (spec.trainer.min_rows or 0)


def test_rows_that_the_checks_name_are_those_that_ingestion_quarantines(tmp_path: Path) -> None:
    found = orders(LABELS["zero and one"][1])
    found["label"][:9] = [None] * 9
    found["order_id"][20], found["placed_at"][20] = found["order_id"][19], found["placed_at"][19]
    found["items"][30] = "NA"
    path = written(tmp_path, ".csv", found)
    proposal = propose(files.read(path), "orders", Wishes(Chosen(event_time="placed_at")), NOW)
    batch = accepted(path, parse_spec(as_yaml(proposal)))
    assert batch.quarantined.height == 9 + proposal.facts.repeated + 1 == 11
    assert "such as NA" in checks(proposal, "features.items")
