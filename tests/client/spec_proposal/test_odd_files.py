"""Unusual files: each gives a spec that ingestion accepts, or one sentence that says what to do."""

from __future__ import annotations

import csv
import gzip
import io
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rondo.client.errors import RondoError
from rondo.client.spec_proposal import files
from rondo.client.spec_proposal.checks import checks_of
from rondo.client.spec_proposal.proposal import Proposal, Wishes, propose
from rondo.client.spec_proposal.render import as_yaml
from rondo.contracts.batch_files.formats import EXTENSIONS
from rondo.contracts.spec.file import parse_spec
from rondo.ingestion.validation import file_formats
from rondo.ingestion.validation.contract import contract_of
from rondo.ingestion.validation.decision import AcceptedBatch, decide
from rondo.trainer.dataset.columns import in_order
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.worker.app import pipeline

from tests.client.spec_proposal.builders import NOW, START, Columns, each, reasons

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = 200
DRAW = random.Random(5)
SIZES = [round(DRAW.uniform(0, 10), 3) for _ in range(ROWS)]
# Every proposal says to check these, because each is a guess.
GUESSES = {"task", "data.entity", "data.event_time", "data.label", "data.label_delay", "features", "features.type"}


def rows(label: list[Any] | None = None, **more: list[Any]) -> Columns:
    hours = [f"{START + timedelta(hours=n):%Y-%m-%dT%H:%M:%SZ}" for n in range(ROWS)]
    found: Columns = {"order_id": every(lambda n: f"o{n}"), "placed_at": hours, "size": SIZES}
    found |= {"shop": every(lambda n: "abc"[n % 3])} | more
    return found | {"label": label or [int(size > 5) for size in SIZES]}


def every(value: Callable[[int], Any]) -> list[Any]:
    return each(value, ROWS)


def in_csv(found: Columns, separator: str = ",", end: str = "\n", **options: Any) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, lineterminator=end, **options)
    writer.writerow(found)
    writer.writerows(zip(*found.values(), strict=True))
    return file.getvalue()


def in_lines(found: Columns) -> bytes:
    return b"\n".join(orjson.dumps(dict(zip(found, row, strict=True))) for row in zip(*found.values(), strict=True))


def parquet(found: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({name: found[name] for name in (*(found.keys() - {"label"}), "label")}), sink, **options)
    return sink.getvalue()


def timed(value: Callable[[datetime], Any]) -> Columns:
    return rows(placed_at=[value(START + timedelta(hours=n)) for n in range(ROWS)])


MOMENTS = [START + timedelta(hours=n) for n in range(ROWS)]
NAIVE = pa.array([moment.replace(tzinfo=None) for moment in MOMENTS], pa.timestamp("ms"))
COMMAS = {"size": [str(size).replace(".", ",") for size in SIZES]}
DICTIONARY = pa.array(every(lambda n: "xy"[n % 2])).dictionary_encode()
# The name of the file, its content, and the words in a check or in the reason of a left-out column.
READ: dict[str, tuple[str, bytes | str, tuple[str, ...]]] = {
    "quotes everywhere": ("a.csv", in_csv(rows(), quoting=csv.QUOTE_ALL), ()),
    "a BOM": ("a.csv", f"\ufeff{in_csv(rows())}", ()),
    "UTF-16": ("a.csv", in_csv(rows(größe=SIZES)).encode("utf-16"), ("größe", "groesse")),
    "tabs": ("a.tsv", in_csv(rows(), "\t"), ()),
    "bars": ("a.csv", in_csv(rows(), "|"), ()),
    "decimal commas": ("a.csv", in_csv(rows(**COMMAS), ";"), ("decimal sign",)),
    "points in thousands": ("a.csv", in_csv(rows(x=every(lambda n: f"1.{n:03}")), ";"), ("separates thousands",)),
    "sep= for Excel": ("a.csv", f"sep=;\r\n{in_csv(rows(), ';', chr(13) + chr(10))}", ()),
    "lines of Windows": ("a.csv", in_csv(rows(), end="\r\n"), ()),
    "lines of old Macs": ("a.csv", in_csv(rows(), end="\r"), ()),
    "gzip": ("a.csv.gz", gzip.compress(in_csv(rows()).encode()), ()),
    "an index without a name": ("a.csv", in_csv({"": every(lambda n: n)} | rows()), ("no name",)),
    "separators at the end": ("a.csv", in_csv(rows()).replace("\n", ",,\n"), ()),
    "blanks after separators": ("a.csv", in_csv(rows()).replace(",", ", "), ("' a'",)),
    "mixed types": ("a.csv", in_csv(rows(x=every(lambda n: [1, "x", 2.5][n % 3]))), ()),
    "yes and no": ("a.csv", in_csv(rows(every(lambda n: "yes" if SIZES[n] > 5 else "no"))), ("yes",)),
    "TRUE and FALSE": ("a.csv", in_csv(rows(gift=every(lambda n: "TRUE" if n % 3 else "FALSE"))), ("gift bool",)),
    "percent signs": ("a.csv", in_csv(rows(rate=every(lambda n: f"{n % 90}%"))), ("'0%'", "1234.5")),
    "thousands": ("a.csv", in_csv(rows(price=every(lambda n: f"1,{n:03}.50"))), ("'1,000.50'", "1234.5")),
    "currency": ("a.csv", in_csv(rows(price=every(lambda n: f"€ {n}.50"))), ("'€ 0.50'", "1234.5")),
    "a unit": ("a.csv", in_csv(rows(far=every(lambda n: f"{n % 90} km"))), ("'0 km'", "1234.5")),
    "two units": ("a.csv", in_csv(rows(far=every(lambda n: f"{n % 9} {['km', 'm'][n % 2]}"))), ("far category",)),
    "a number beyond float64": ("a.csv", in_csv(rows(x=every(lambda n: "1e400" if n == 5 else n / 7))), ("as 1e400",)),
    "labels by capitals": ("a.csv", in_csv(rows(every(lambda n: ["no", "yes", "Yes"][n % 3]))), ("'yes' and 'Yes'",)),
    "rare NA": ("a.csv", in_csv(rows(x=every(lambda n: "NA" if n == 7 else n % 9))), ("such as NA",)),
    "frequent NA": ("a.csv", in_csv(rows(x=every(lambda n: n % 5 or "NA"))), ("'NA'", "empty")),
    "? as a class": ("a.csv", in_csv(rows(every(lambda n: "ab?"[n % 3]))), ("'?'", "label")),
    "a row of totals": ("a.csv", f"{in_csv(rows())}Total,,123,,100\n", ("100 (1)", "placed_at: 1")),
    "times without T and zone": ("a.csv", in_csv(timed(lambda at: f"{at:%Y-%m-%d %H:%M}")), ("'2024-01-01 00:00'",)),
    "dates": ("a.csv", in_csv(timed(lambda at: at.date())), ("'2024-01-01'", "zone")),
    "seconds since 1970": ("a.csv", in_csv(timed(lambda at: int(at.timestamp()))), ("1970", "2024-01-01T00:00:00Z")),
    "milliseconds": ("a.jsonl", in_lines(timed(lambda at: int(at.timestamp() * 1000))), ("2024-01-01T00:00:00Z",)),
    "nested JSON": ("a.jsonl", in_lines(rows(geo=every(lambda n: {"x": n}), tags=every(lambda n: [n]))), ("object",)),
    "nested Parquet": ("a.parquet", parquet(rows(placed_at=MOMENTS, geo=[{"x": 1}] * ROWS)), ("object",)),
    "decimals": ("a.parquet", parquet(rows(placed_at=MOMENTS, x=every(lambda n: Decimal(n) / 4))), ("x float",)),
    "no zone": ("a.parquet", parquet(rows() | {"placed_at": NAIVE}), ("zone",)),
    "int96": ("a.parquet", parquet(rows() | {"placed_at": NAIVE}, use_deprecated_int96_timestamps=True), ("zone",)),
    "days": ("a.parquet", parquet(rows(placed_at=every(lambda n: date(2024, 1, n % 28 + 1)))), ("zone",)),
    "a dictionary": ("a.parquet", parquet(rows(placed_at=MOMENTS) | {"x": DICTIONARY}), ("x category",)),
    "large texts": ("a.parquet", parquet(rows() | {"x": DICTIONARY.cast(pa.large_string())}), ("x category",)),
    "a duration": ("a.parquet", parquet(rows() | {"x": pa.array(range(ROWS), pa.duration("s"))}), ("duration[s]",)),
    "bytes": ("a.parquet", parquet(rows(x=[b"x"] * ROWS)), ("binary",)),
    "emoji and Hebrew": ("a.csv", in_csv(rows(mood=every(lambda n: ["😀", "שלום"][n % 2]))), ("mood category",)),
    "a very long text": ("a.csv", in_csv(rows(note=every(lambda n: f"word {n} " * 50_000 * (n == 7)))), ()),
    "many columns": ("a.csv", in_csv(rows(**{f"c{i}": every(lambda n, i=i: n * i % 17) for i in range(500)})), ()),
    "names by capitals": ("a.csv", in_csv(rows(Size=SIZES[::-1], LABEL=SIZES)), ("from size", "from label")),
    "a name of ours": ("a.csv", in_csv(rows(Batch_ID=every(lambda n: n % 3))), ("Batch_ID",)),
    "rows twice": ("a.csv", in_csv({name: values * 2 for name, values in rows().items()}), (f": {ROWS}",)),
    "a leak": ("a.csv", in_csv(rows(copied=every(lambda n: "y" if SIZES[n] > 5 else "n"))), ("copied", "answer")),
    "150 classes": ("a.csv", in_csv(rows(every(lambda n: f"c{n % 150}"))), ("150 classes in 200 rows",)),
}  # fmt: skip
LATIN = in_csv(rows(größe=SIZES)).encode("latin-1")
# The name of the file, its content, the code of the error, and what its message names.
REFUSED: dict[str, tuple[str, bytes | str, str, tuple[str, ...]]] = {
    "Latin-1": ("a.csv", LATIN, "unreadable_file", ("größe", "iconv")),
    "UTF-16 without a mark": ("a.csv", in_csv(rows()).encode("utf-16-le"), "unreadable_file", ("iconv",)),
    "bytes": ("a.csv", bytes(DRAW.choices(range(256), k=2000)), "unreadable_file", ("a.csv",)),
    "a workbook": ("a.csv", b"PK\x03\x04\x14\x00[Content_Types].xml", "unreadable_file", ("CSV (UTF-8)",)),
    "a workbook by its name": ("a.xlsx", b"PK", "unknown_format", ("CSV (UTF-8)",)),
    "another suffix": ("a.json", in_lines(rows()), "unknown_format", (".jsonl",)),
    "a JSON array": ("a.jsonl", b"[" + in_lines(rows()).replace(b"\n", b",\n") + b"]", "unreadable_file", ("jq",)),
    "HTML": ("a.csv", "<!DOCTYPE html>\n<html></html>\n", "unreadable_file", ("'<!DOCTYPE html>'",)),
    "blanks between columns": ("a.csv", in_csv(rows(), " "), "unreadable_file", ("tab",)),
    "comments": ("a.csv", f"# mine\n{in_csv(rows())}", "unreadable_file", ("'# mine'",)),
    "a separator in a text": ("a.csv", in_csv(rows()).replace(",b,", ",b,b,", 1), "unreadable_file", (",b,b,",)),
    "more fields than names": ("a.csv", in_csv(rows()) + "a,b,c,d,e,f\n", "unreadable_file", ("line 202", "6 instead")),
    "an open quote": ("a.csv", f'{in_csv(rows())}o9,2024-01-01T00:00:00Z,1,a,"1\n', "unreadable_file", ("quote",)),
    "two columns of one name": ("a.csv", in_csv(rows()).replace("size", "shop", 1), "unreadable_file", ("'shop'",)),
    "a header alone": ("a.csv", in_csv(rows()).split("\n")[0], "no_rows", ("5 columns",)),
    "one row": ("a.csv", "\n".join(in_csv(rows()).split("\n")[:2]), "unusable_column", ("the value",)),
    "entities with points": ("a.csv", in_csv(rows(order_id=every(lambda n: n / 2))), "unusable_column", ("'0.0'",)),
    "years first": ("a.csv", in_csv(timed(lambda at: f"{at:%Y/%m/%d}")), "unusable_column", ("2024-01-01",)),
    "days first": ("a.csv", in_csv(timed(lambda at: f"{at:%d.%m.%Y}")), "unusable_column", ("as 2024-01-02",)),
    "months first": ("a.csv", in_csv(timed(lambda at: f"{at:%m/%d/%Y}")), "unusable_column", ("or 2024-02-01",)),
    "eight digits": ("a.csv", in_csv(timed(lambda at: f"{at:%Y%m%d}")), "unusable_column", ("2024-01-01",)),
    "times of the future": ("a.csv", in_csv(timed(lambda at: at.replace(year=2124))), "unusable_column", ("2124-",)),
    "one class": ("a.csv", in_csv(rows([1] * ROWS)), "unusable_column", ("'1'",)),
    "a class each": ("a.csv", in_csv(rows(every(lambda n: f"x{n}"))), "unusable_column", ("each row",)),
    "prices as label": ("a.csv", in_csv(rows(every(lambda n: f"${n}.5"))), "unusable_column", ("'$0.5'", "1234.5")),
}  # fmt: skip


def proposal_of(tmp_path: Path, name: str, content: bytes | str) -> tuple[Path, Proposal]:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path, propose(files.read(path), "orders", Wishes(), NOW)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", READ)
@pytest.mark.medium
def test_what_can_be_read_is_accepted_and_says_what_to_check(tmp_path: Path, kind: str) -> None:
    name, content, words = READ[kind]
    path, proposal = proposal_of(tmp_path, name, content)
    spec = parse_spec(as_yaml(proposal))
    checks = list(checks_of(proposal, NOW))
    assert {check.about for check in checks} >= GUESSES
    said = "\n".join(
        [*(f"{check.about}: {check.text}" for check in checks), *map(": ".join, reasons(proposal).items())]
    )
    assert [word for word in words if word not in said] == []
    file_format = EXTENSIONS[".csv" if name.endswith(".gz") else path.suffix]
    if name.endswith(".gz"):  # ingestion decompresses it before
        path.write_bytes(gzip.decompress(path.read_bytes()))
    decision = decide(file_formats.read(path, file_format), file_format, contract_of("orders", [spec]), NOW)
    assert isinstance(decision, AcceptedBatch), decision
    assert decision.rows.height >= max(0.95 * ROWS, spec.trainer.min_rows or 0)
    assert decision.quarantined.height <= proposal.bad_share * proposal.facts.rows + 1


@pytest.mark.medium
@pytest.mark.parametrize("kind", ["UTF-16", "decimal commas", "times without T and zone", "int96", "milliseconds"])
def test_what_is_read_in_an_unusual_form_trains(tmp_path: Path, kind: str) -> None:
    name, content, _ = READ[kind]
    path, proposal = proposal_of(tmp_path, name, content)
    spec = parse_spec(as_yaml(proposal))
    file_format = EXTENSIONS[path.suffix]
    decision = decide(file_formats.read(path, file_format), file_format, contract_of("orders", [spec]), NOW)
    assert isinstance(decision, AcceptedBatch)
    few = spec.model_copy(update={"trainer": spec.trainer.model_copy(update={"params": {"n_estimators": 5}})})
    now = datetime.now(UTC)
    assert pipeline(1).fit(few, TrainingSet(in_order(few, decision.rows), (), now, None, now)).rows_trained == 180


@pytest.mark.medium
@pytest.mark.parametrize("kind", REFUSED)
def test_what_can_t_be_read_with_one_meaning_is_refused_with_what_to_do(tmp_path: Path, kind: str) -> None:
    name, content, code, words = REFUSED[kind]
    with pytest.raises(RondoError) as refused:
        proposal_of(tmp_path, name, content)
    assert refused.value.code == code
    assert [word for word in words if word not in str(refused.value)] == []
