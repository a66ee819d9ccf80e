"""The examples: folders of `examples/` with a spec, each of which predicts a label of the same flights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rondo.contracts.spec.file import parse_spec
from rondo.contracts.tasks.registry import METRICS, task_named
from rondo.flights.errors import UnknownExampleError

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.tasks.metrics import Metric

FOLDER = Path(__file__).resolve().parents[3]
DEFAULT = "flights"
_SPEC = "rondo.yaml"


@dataclass(frozen=True)
class Example:
    """A spec as text and as a parsed object."""

    name: str
    text: str
    spec: ModelSpec

    @property
    def model(self) -> str:
        return self.spec.model

    @property
    def functions(self) -> Path | None:
        """The folder with the training function. None if a library trains."""
        return FOLDER / self.name if self.spec.trainer.function else None

    @property
    def label(self) -> str:
        """The column of the flights that is predicted."""
        return self.spec.data.label

    @property
    def metric(self) -> Metric:
        """The metric that the report compares by month."""
        return METRICS[task_named(self.spec.task).primary]


def example_named(name: str = DEFAULT) -> Example:
    """Return an example.

    Raises:
        UnknownExampleError: no folder with a spec has the name.

    """
    known = sorted(path.parent.name for path in FOLDER.glob(f"*/{_SPEC}"))
    if name not in known:
        raise UnknownExampleError(name, known)
    text = (FOLDER / name / _SPEC).read_text("utf-8")
    return Example(name, text, parse_spec(text))
