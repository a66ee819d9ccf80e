"""`rondo init` prints or writes a spec for a file, and says what to check."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from rondo.client.spec_proposal.template import TEMPLATE
from rondo.contracts.spec.file import parse_spec

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

Run = Callable[..., "Result"]
HEADER = "order_id,placed_at,amount,returned,note\n"
ROW = "o{0},2024-01-01T10:{1:02}:00Z,{2},{3},n{0}\n"


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    rows = [ROW.format(n, n % 60, n / 7, n % 3 == 0) for n in range(100)]
    (tmp_path / "orders-2024-01.csv").write_text(HEADER + "".join(rows))
    return tmp_path / "orders-2024-01.csv"


def test_a_spec_is_printed_and_the_checks_are_beside_it(run: Run, orders: Path) -> None:
    done = run("init", "--from", orders.name)
    spec = parse_spec(done.stdout)
    assert (done.exit_code, spec.model, spec.data.dataset, spec.data.label) == (0, "orders", "orders", "returned")
    assert "check these:\n" in done.stderr
    assert "  data.entity: order_id: by its name\n" in done.stderr
    assert re.findall("`.*?`", done.stderr)[-2:] == [
        "`rondo apply rondo.yaml`",
        "`rondo publish orders orders-2024-01.csv`",
    ]


def test_a_spec_is_written_and_never_replaces_a_file_unasked(run: Run, orders: Path, tmp_path: Path) -> None:
    written = tmp_path / "rondo.yaml"
    done = run("init", "--from", orders.name, "-o", "rondo.yaml")
    assert (done.exit_code, done.stdout) == (0, "wrote rondo.yaml\n")
    assert parse_spec(written.read_text()).model == "orders"
    written.write_text("mine")
    refused = run("init", "--from", orders.name, "-o", "rondo.yaml", "--json")
    assert (refused.exit_code, orjson.loads(refused.stdout)["error"]) == (1, "file_exists")
    assert "rondo.yaml exists: name another file with -o, or replace it with --force" in refused.stderr
    assert written.read_text() == "mine"
    assert run("init", "--from", orders.name, "-o", "rondo.yaml", "--force").exit_code == 0
    assert parse_spec(written.read_text()).model == "orders"


def test_options_decide(run: Run, orders: Path) -> None:
    names = ("--model", "returns", "--dataset", "sales", "--task", "binary")
    columns = ("--label", "returned", "--entity", "note", "--event-time", "placed_at")
    spec = parse_spec(run("init", "--from", orders.name, *names, *columns).stdout)
    assert (spec.model, spec.data.dataset, spec.task) == ("returns", "sales", "binary")
    assert (spec.data.label, spec.data.entity, spec.data.event_time) == ("returned", "note", "placed_at")


def test_for_programs_there_is_an_object(run: Run, orders: Path) -> None:
    done = run("init", "--from", orders.name, "-o", "rondo.yaml", "--json")
    found = orjson.loads(done.stdout)
    assert (found["model"], found["dataset"], found["task"], found["file"]) == (
        "orders",
        "orders",
        "binary",
        "rondo.yaml",
    )
    assert [(each["column"], bool(each["reason"])) for each in found["left_out"]] == [("note", True)]
    assert {"about": "data.entity", "check": "order_id: by its name"} in found["checks"]
    assert parse_spec(found["spec"]).model == "orders"
    assert done.stderr == ""


def test_a_compressed_file_gives_the_same_spec(run: Run, orders: Path, tmp_path: Path) -> None:
    (tmp_path / "orders-2024-01.csv.gz").write_bytes(gzip.compress(orders.read_bytes()))
    assert parse_spec(run("init", "--from", "orders-2024-01.csv.gz").stdout) == parse_spec(
        run("init", "--from", orders.name).stdout
    )


def test_without_a_file_there_is_a_spec_to_fill_in(run: Run, tmp_path: Path) -> None:
    assert run("init").stdout == TEMPLATE
    assert run("init", "-o", "rondo.yaml").exit_code == 0
    assert (tmp_path / "rondo.yaml").read_text() == TEMPLATE


@pytest.mark.parametrize(
    "arguments",
    [
        ("--label", "returned"),
        ("--model", "Orders 1", "--from", "orders-2024-01.csv"),
        ("--task", "clustering", "--from", "orders-2024-01.csv"),
        ("--from", "nowhere.csv"),
    ],
)
def test_wrong_usage_exits_with_2(run: Run, orders: Path, arguments: tuple[str, ...]) -> None:
    assert run("init", *arguments).exit_code == 2


TWO = "id,at,x,label\n1,2024-01-01T10:00:00Z,2,{}\n2,2024-01-01T11:00:00Z,{},{}\n"
# The file, the options, the code of the error, and what its message says.
MISTAKES: dict[str, tuple[str, tuple[str, ...], str, tuple[str, ...]]] = {
    "no time": (
        "id,x,label\n1,2,0\n2,3,1\n", (), "no_event_time",
        ("no column looks like the event time, the time that a row is about (write times as 2013-01-01T10:00:00Z)",
         "name one with --event-time, or add it to the file; it has 'id', 'x', 'label'"),
    ),
    "unknown column": (
        HEADER + ROW.format(1, 1, 1, 1), ("--label", "retruned"), "unknown_column",
        ("--label 'retruned': the file has no such column; did you mean 'returned'?",),
    ),
    "blank in a name": (
        TWO.format(0, 3, 1).replace("label", "is late"), ("--label", "is late"), "unusable_column",
        ("'is late' can't be the label: a spec takes names of A-Z, a-z, 0-9 and _, at most 63 long",
         "rename it to 'is_late' in the file"),
    ),
    "one value": (
        TWO.format(0, 3, 0), (), "unusable_column",
        ("'label' can't be the label: all rows have the value '0', so there is nothing to learn",),
    ),
    "several columns": (
        "order id,at,x,label\n1,2/1/2024,2,0\n2,2/1/2024,3,0\n", (), "unusable_columns",
        ("no spec is proposed for a.csv before these 3 are solved", "rename it to 'order_id' in the file",
         "its times are not ISO 8601, and could be misread", "all rows have the value '0'"),
    ),
    "another task": (
        TWO.format("a", 3, "b"), ("--task", "regression"), "task_mismatch",
        ("--task regression does not fit the label 'label': it has texts, not numbers",
         "leave --task out to get a proposal"),
    ),
    "no feature": (
        TWO.format("a", 2, "b"), (), "no_features",
        ("no column is left as a feature: add columns that are known when a prediction is asked for",
         "x: all rows have the value 2"),
    ),
    "no row": (HEADER, (), "no_rows", ("has 5 columns and no row: a spec is proposed by values",)),
    "two columns of one name": (
        "id,id\n1,2\n", (), "unreadable_file", ("can't be read: it has several columns named 'id'",),
    ),
    "what no spec can hold": (
        TWO.format("\0", 3, "b"), (), "proposal_refused",
        ("suggests is not a spec that this release takes, so nothing was written",),
    ),
}  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_file_that_suggests_no_spec_gets_one_clear_message(run: Run, tmp_path: Path, mistake: str) -> None:
    content, arguments, code, parts = MISTAKES[mistake]
    (tmp_path / "a.csv").write_text(content)
    failed = run("init", "--from", "a.csv", "-o", "rondo.yaml", *arguments, "--json")
    error: Any = orjson.loads(failed.stdout)
    assert (failed.exit_code, error["error"]) == (1, code)
    assert [part for part in parts if part not in error["message"]] == []
    assert not (tmp_path / "rondo.yaml").exists()
