"""Assembles the evidence of a candidate, for the gates, for an audit, and to repeat the run."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from rondo.contracts.spec.parameters.checks import LIBRARIES
from rondo.contracts.training_evidence import Evidence

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.dataset.training_set import TrainingSet
    from rondo.trainer.evaluation.candidate import Candidate

# The packages whose versions are recorded, in addition to the library that fits.
_PACKAGES = (
    "scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy", "scipy", "polars", "deltalake",
    "optuna",
    "rondo-trainer",
)  # fmt: skip


def assemble_evidence(spec: ModelSpec, training_set: TrainingSet, candidate: Candidate, code_version: str) -> Evidence:
    return Evidence(
        candidate=candidate.evaluation,
        champion=candidate.champion,
        champion_version=candidate.champion_version,
        champion_not_comparable=candidate.champion_not_comparable,
        comparisons=candidate.comparisons,
        notes=candidate.notes,
        parameters=candidate.parameters,
        profile=candidate.profile,
        parity=candidate.parity,
        data=training_set.data,
        sources=training_set.sources,
        training_set_digest=candidate.training_set_digest,
        rows_trained=candidate.rows_trained,
        rows_holdout=candidate.rows_holdout,
        event_time_from=candidate.event_time_from,
        event_time_to=candidate.event_time_to,
        as_of=training_set.as_of,
        spec_digest=spec.digest,
        code_version=code_version,
        seed=spec.trainer.seed,
        environment=environment(),
        rows_weighed=candidate.rows_weighed,
        function=candidate.function,
        members=candidate.members,
        adaptation=candidate.adaptation,
        paired=candidate.paired,
        trials=candidate.trials,
    )


def environment() -> dict[str, str]:
    """Return the versions that determine the bytes of a candidate."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        **{name: library_version(name) for name in _PACKAGES},
        **{kind: library_version(*library.distributions) for kind, library in LIBRARIES.items()},
    }


def library_version(*names: str) -> str:
    """Return the version of the first of these distributions that is installed, or `unknown` if none is."""
    for name in names:
        with suppress(PackageNotFoundError):
            return version(name)
    return "unknown"
