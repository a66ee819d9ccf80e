"""What is kept of a run beside its candidate: enough for a gate, for an auditor, and to run it again."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from rondo.contracts.training import Evidence

if TYPE_CHECKING:
    from rondo.contracts.spec import ModelSpec
    from rondo.trainer.ports import Learned, ServingModel
    from rondo.trainer.training_set import TrainingSet

LIBRARIES = ("lightgbm", "onnx", "onnxruntime", "numpy", "polars", "deltalake", "rondo-trainer")


def evidence(
    spec: ModelSpec, training_set: TrainingSet, learned: Learned, champion: ServingModel | None, code_version: str
) -> Evidence:
    """Put together what is known of a candidate."""
    times = training_set.rows[spec.data.event_time]
    return Evidence(
        candidate=learned.candidate,
        champion=learned.champion,
        champion_version=champion.model_version if champion and learned.champion else None,
        profile=learned.profile,
        parity=learned.parity,
        data=training_set.data,
        training_set_digest=training_set.digest,
        rows_trained=learned.rows_trained,
        rows_holdout=learned.rows_holdout,
        event_time_from=times[0],
        event_time_to=times[-1],
        as_of=training_set.as_of,
        spec_digest=spec.digest,
        code_version=code_version,
        seed=spec.trainer.seed,
        environment=environment(),
    )


def environment() -> dict[str, str]:
    """Return the versions of what decides a candidate's bytes."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        **{name: library_version(name) for name in LIBRARIES},
    }


def library_version(name: str) -> str:
    """Return a distribution's version, or `unknown` where it is not installed as one."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
