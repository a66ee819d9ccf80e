"""The function of docs/functions.md, and that of examples/own-function, make models that can be served."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
import yaml
from rondo.contracts.spec.file import parse_spec
from rondo.flights.dataset import flights
from rondo.flights.dataset.messages import month_batches
from rondo.flights.examples import example_named
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.worker.app import pipeline

from tests.trainer.test_kinds import LATER, rows, spec

if TYPE_CHECKING:
    from rondo.trainer.evaluation.candidate import Candidate

# A function runs in a process of its own.
pytestmark = pytest.mark.process
ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "own-function"


def train(folder: Path, asked: object, frame: pl.DataFrame) -> Candidate:
    made, described = pipeline(1, folder), spec("binary", {}).__class__.model_validate(asked)
    return made.evaluate(described, made.fit(described, TrainingSet(frame, (), LATER, None, LATER)), None)


@pytest.mark.slow
def test_the_function_of_the_page_trains(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "functions.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (trainer,) = (yaml.safe_load(each)["trainer"] for each in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    (tmp_path / "own_model").mkdir()
    (tmp_path / "own_model" / "train.py").write_text(code)
    asked = spec("binary", trainer).as_dict() | {"prepare": {"impute": {"temp": "mean"}}}
    candidate = train(tmp_path, asked, rows("binary", 600))
    assert candidate.evaluation.metrics["roc_auc"] > 0.8
    assert candidate.parity.native is True


@pytest.mark.slow
def test_the_function_of_the_page_trains_for_several_classes_too(tmp_path: Path) -> None:
    """It receives the indices of classes, so these are the classes of the returned graph."""
    page = (ROOT / "docs" / "functions.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "own_model").mkdir()
    (tmp_path / "own_model" / "train.py").write_text(code)
    trainer = {"kind": "function", "function": "own_model.train:train", "params": {}}
    asked = spec("multiclass", trainer).as_dict() | {"prepare": {"impute": {"temp": "mean"}}}
    candidate = train(tmp_path, asked, rows("multiclass", 600))
    assert candidate.evaluation.metrics["accuracy"] > 0.5


@pytest.mark.slow
def test_the_example_trains_on_flights() -> None:
    described = parse_spec((EXAMPLE / "rondo.yaml").read_text()).as_dict()
    described["trainer"]["params"] = {"hidden": 4, "epochs": 2}
    ((_, january),) = month_batches(flights.load(), example_named("own-function"), range(1, 2))
    labelled = january.head(6_000).drop_nulls("late").with_columns(pl.col("late").cast(pl.Float64))
    candidate = train(EXAMPLE, described, labelled.sort("scheduled_departure"))
    assert candidate.evaluation.metrics["roc_auc"] > 0.5
    assert candidate.function is not None
    assert candidate.function.package == "delay_net"
    assert candidate.parity.native_difference is not None
    assert candidate.parity.native_difference < 1e-5
