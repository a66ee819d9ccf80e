"""Checks of the parameters of a new spec against the library of `trainer.kind`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rondo.contracts.spec.cross_checks import Plain, Problem, mapping_at
from rondo.contracts.spec.parameters.lightgbm import LIGHTGBM
from rondo.contracts.spec.parameters.xgboost import XGBOOST
from rondo.contracts.tasks.registry import DEFAULT
from rondo.contracts.vocabularies import TrainerKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.spec.parameters.rules import Library

# A new library needs its file here, its line here, and its estimator (`rondo.trainer.estimators.base`).
LIBRARIES: dict[str, Library] = {TrainerKind.LIGHTGBM: LIGHTGBM, TrainerKind.XGBOOST: XGBOOST}


def parameter_problems(spec: Plain) -> Iterator[Problem]:
    """Yield parameters that the library does not have or that the trainer sets, and values out of range."""
    trainer = mapping_at(spec, "trainer")
    kind, task = trainer.get("kind", TrainerKind.LIGHTGBM), spec.get("task", DEFAULT)
    library = LIBRARIES.get(kind) if isinstance(kind, str) else None
    if library is None or not isinstance(task, str):
        return
    scalars = {name: value for name, value in mapping_at(trainer, "params").items() if _is_scalar(value)}
    for name, problem in library.faults(task, scalars):
        yield Problem(("trainer", "params", name), problem, " ")


def _is_scalar(value: object) -> bool:
    return isinstance(value, int | str) or (isinstance(value, float) and math.isfinite(value))
