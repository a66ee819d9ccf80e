"""The CPU time of the parts of a training: `python -m tests.benchmarks.load.training_parts <folder> <kind>`.

`python -m tests.benchmarks.load.training rows <folder>` writes the rows first. This module prints the CPU seconds of
each part on one thread as JSON. The time of a part does not include that of parts that it calls.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from rondo.contracts.vocabularies import TrainerKind
from rondo.trainer import pipeline as fitting
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.evaluation import compare, feature_reference
from rondo.trainer.evaluation.candidate import ChampionModel
from rondo.trainer.onnx_graph import builder, parity
from rondo.trainer.preparation import levels, preparation
from rondo.trainer.worker.app import pipeline

from tests.benchmarks.load.training import spec_of

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS: Counter[str] = Counter()
_INNER = threading.local()


def measured(owner: Any, name: str, part: str) -> None:
    """Replace a function of a module or a class by one that measures its CPU time."""
    function: Callable[..., Any] = getattr(owner, name)

    def timed(*args: Any, **kwargs: Any) -> Any:
        outer, _INNER.seconds, began = getattr(_INNER, "seconds", 0.0), 0.0, time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            took = time.thread_time() - began
            _SECONDS[part] += took - _INNER.seconds
            _INNER.seconds = outer + took

    setattr(owner, name, timed)


def main(folder: Path, trainer: str) -> None:
    """Train once with a few rows, and measure with all."""
    made, spec, rows = pipeline(1, folder / "functions"), spec_of(trainer), pl.read_parquet(folder / "rows.parquet")
    # A user's function is no estimator. Its process is measured beside this one.
    fits = made.functions if spec.trainer.kind == TrainerKind.FUNCTION else made.estimators[spec.trainer.kind]
    measured(type(fits), "fit", "fit")
    measured(levels, "encoded", "preparation")
    measured(preparation, "fit", "preparation")
    measured(preparation.Preparation, "apply", "preparation")
    measured(feature_reference, "of_rows", "reference of the features")
    measured(fitting, "score_holdout", "predictions of the holdout")
    measured(compare, "score_champion", "predictions of the champion")
    measured(compare, "_evaluate", "metrics of both")
    measured(compare, "_comparisons", "bootstrap of a gate")
    measured(compare, "_profile", "reference of the outputs")
    measured(builder, "build", "ONNX graph")
    measured(fitting, "background", "ONNX graph")
    measured(fitting, "permutation_importance", "importance of the features")
    measured(parity, "compared_rows", "parity")
    measured(parity, "compare", "parity")
    measured(fitting, "_checked_parts", "split and checks")

    def train(part: pl.DataFrame) -> None:
        training_set = TrainingSet(part, (), part["at"][-1], None, part["at"][-1])
        training_set.__dict__["digest"] = "sha256:"
        fitted = made.fit(spec, training_set)
        made.evaluate(spec, fitted, ChampionModel(1, fitted.model))

    train(rows[:1_000])
    _SECONDS.clear()
    began, of_function = time.process_time(), _cpu_of_children()
    train(rows)
    _SECONDS["everything"] = time.process_time() - began
    if spec.trainer.kind == TrainerKind.FUNCTION:
        _SECONDS["process of the function"] = _cpu_of_children() - of_function
    sys.stdout.write(json.dumps({part: round(seconds, 3) for part, seconds in _SECONDS.most_common()}) + "\n")


def _cpu_of_children() -> float:
    """Return the CPU seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
