"""The protocol of a task: everything that differs between kinds of labels, in one object."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from rondo.contracts.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

    from rondo.contracts.tasks.binned_figures import BinnedFigures
    from rondo.contracts.tasks.metrics import Metric
    from rondo.contracts.tasks.sketches import Figure, PerformanceSketch

OutputKind = Literal["number", "label", "probabilities"]
# What a raw prediction is: the probability of the second of two classes, those of all classes, or a number.
TargetKind = Literal["probability", "probabilities", "number"]
# How a label is stored in tables and logs.
Storage = Literal["number", "text"]


# The names of the tasks, which `registry` adds, and the documentation of a field that has one.
NAMES: list[str] = []
NAME = (
    "What a model predicts: a name of `rondo.contracts.tasks`. Unknown: `rondo apply` refuses the spec. Of a stored"
    " spec with an unknown one, ingestion rejects the batches and dead-letters the outcomes, and says why: both can be"
    " sent again after an upgrade. The registry rejects a candidate whose evidence has an unknown one, and the monitor"
    " dead-letters its event."
)


class _Named:
    """Adds the names of the tasks to the JSON Schema of a field, as open vocabularies have theirs."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "examples": NAMES}


class Labels(Protocol):
    """The values of a label, in batches and in outcomes alike. Two are equal if they accept the same values."""

    @property
    def storage(self) -> Storage:
        """The type of a stored label: a float64 or a text."""
        ...

    @property
    def expected(self) -> str:
        """The values, as a message names them."""
        ...

    def parse(self, value: object) -> float | str | None:
        """Return a JSON value as it is stored. None for a value that is no label."""
        ...

    def includes(self, stored: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which stored numbers are labels: a table has others where the model had another task before.

        NaN is none. It is not called where labels are stored as text.
        """
        ...


@dataclass(frozen=True)
class Output:
    """One output of a model.

    A `number` is a float32 for each row, `probabilities` a float32 for each row and class. A `label` is an index into
    the labels in the ONNX graph, and the label itself in answers and in the inference log. The monitor compares the
    distribution of a `watched` output. One that another output decides would only drift with that one.

    A number `of_label` is the probability of the label with that index. `coverage` is that of the interval which a
    number is an end of. Versions that state another one answer alike.
    """

    name: str
    kind: OutputKind
    watched: bool = True
    of_label: int | None = None
    coverage: float | None = field(default=None, compare=False)

    @property
    def tensor(self) -> str:
        """The name in the ONNX graph and in the inference log. It has a dot, which no feature's name has."""
        return f"output.{self.name}"


class Interval(BaseModel):
    """A prediction interval: the value plus and minus `half_width` covers the outcome with probability `coverage`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    coverage: float
    half_width: float


class Costs(BaseModel):
    """What the two errors of a label cost, in any unit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    false_positive: float
    false_negative: float


class ResidualScale(BaseModel):
    """The units in which residuals and labels are counted, and the label that is counted as 0."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    residual: float
    label: float
    center: float


class FittedTask(BaseModel):
    """A task as one model was fitted to it. It is in the metadata of the ONNX graph and in the evidence.

    `labels` are the classes in the order of the probabilities: of a probability the negative and the positive label, of
    a number none. With `numbers`, labels are answered as whole numbers. `threshold` is the least score of the
    positive label. `chosen_on` is how many rows of the holdout chose it, or the width of the interval. None where
    nothing was chosen. `cost` is that of the spec.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    METADATA: ClassVar[str] = "rondo.task"

    task: Annotated[Text, Field(description=NAME), _Named()]
    labels: tuple[Text, ...] = ()
    numbers: bool = False
    threshold: float | None = None
    interval: Interval | None = None
    scale: ResidualScale | None = None
    chosen_on: int | None = None
    cost: Costs | None = None

    @property
    def label_values(self) -> tuple[str | int, ...]:
        """The labels as answers hold them."""
        return tuple(int(label) for label in self.labels) if self.numbers else self.labels


class Node(Protocol):
    """Makes an ONNX node, as `onnx.helper.make_node` does."""

    def __call__(self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Any: ...


class Task(Protocol):
    """A kind of label. `raw` predictions have the shape `[rows, width]`: a width of 1, or one column per class.

    Services ask an object for what differs, and never for its name.
    """

    name: ClassVar[str]
    # What it predicts, in one sentence for the documentation of a spec.
    description: ClassVar[str]
    target: ClassVar[TargetKind]
    # The metrics of an evaluation, by their names; and the one that slices, fairness and the monitor use where the spec
    # names none. `rates` are those of decisions, which fairness may compare between groups, too.
    metrics: ClassVar[Mapping[str, Metric]]
    primary: ClassVar[str]
    rates: ClassVar[tuple[str, ...]]
    # The keys of the spec's `prediction` that apply; and whether `data.positive` and `data.negative` do.
    options: ClassVar[frozenset[str]]
    names_labels: ClassVar[bool]
    # Whether the classes are those of the rows, so that later rows may have others.
    open_classes: ClassVar[bool]
    # The output that an outcome is compared with.
    answer: ClassVar[str]
    # What a performance sketch counts of a prediction: columns of `sketches.PREDICTED`, each with the output that it
    # has. A model may lack an output.
    counted: ClassVar[Mapping[str, str]]

    def labels(self, positive: str | None, negative: str | None) -> Labels:
        """Return the values of the label. The arguments are the spec's `data.positive` and `data.negative`."""
        ...

    def classes(self, labels: Sequence[float] | Sequence[str], known: Labels) -> tuple[str, ...]:
        """Return the classes that stored labels have, in the order of the probabilities. None for numbers."""
        ...

    def targets(
        self, labels: NDArray[np.float64] | Sequence[float] | Sequence[str], classes: tuple[str, ...]
    ) -> NDArray[np.float32]:
        """Return stored labels as an estimator is given them, shape `[rows]`: a class's index, or the number.

        A class that is not among `classes` has the index `len(classes)`.
        """
        ...

    def fitted(
        self,
        classes: tuple[str, ...],
        options: Mapping[str, Any],
        raw: NDArray[np.float64],
        targets: NDArray[np.float32],
    ) -> FittedTask:
        """Return the task of a model with these raw predictions of its holdout, which has these targets.

        `options` are the spec's `prediction`: threshold, cost, interval.
        """
        ...

    def outputs(self, fitted: FittedTask) -> tuple[Output, ...]:
        """Return the outputs of a model, in the order in which answers list them."""
        ...

    def predictions(self, fitted: FittedTask, raw: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        """Return the outputs of raw predictions by name, as the ONNX graph computes them.

        A `number` is float32 `[rows]`, a `label` int64 `[rows]`, `probabilities` are float32 `[rows, classes]`.
        """
        ...

    def head(self, fitted: FittedTask, raw: str, node: Node) -> list[Any]:
        """Return the ONNX nodes from the tensor `raw`, float32 `[N, width]`, to the tensors of the outputs.

        A number and a label have the shape `[N, 1]`, probabilities `[N, classes]`. Opset 15 is enough.
        """
        ...

    def sketch(self, fitted: FittedTask) -> PerformanceSketch:
        """Return how the monitor counts outcomes against predictions."""
        ...

    def group_sketch(self, fitted: FittedTask) -> PerformanceSketch:
        """Return how the monitor counts outcomes of a slice: in few numbers, as there may be many slices.

        Its figures may have `rates`, too.
        """
        ...

    def largest_loss(self, fitted: FittedTask, rows: pa.Table) -> float | None:
        """Return the error that counts as a loss of 1, by the holdout. None where the task has a natural bound.

        `rows` have the columns of `sketches.PREDICTED` and `OBSERVED`. None where no row has a prediction and an
        outcome, too.
        """
        ...

    def losses(self, fitted: FittedTask, rows: pa.Table, largest: float | None) -> NDArray[np.float64]:
        """Return how wrong each prediction was, from 0 to 1, shape `[rows]`. NaN without prediction or outcome.

        `rows` have the columns of `sketches.PREDICTED` and `OBSERVED`. `largest` is what `largest_loss` returned for
        the model. A task that needs it returns NaN without. One wild row can't move a mean of bounded losses.
        """
        ...

    def uncovered(self, fitted: FittedTask, rows: pa.Table) -> NDArray[np.float64] | None:
        """Return 1 where the outcome is outside of the interval, and 0 elsewhere, shape `[rows]`.

        NaN without prediction or outcome. None of a model without intervals. `rows` are as in `losses`.
        """
        ...

    def bias(self, fitted: FittedTask, rows: pa.Table, largest: float | None) -> NDArray[np.float64] | None:
        """Return how much the outcome is above what was predicted, from -1 to 1, shape `[rows]`.

        Its mean is the calibration in the large: 0 where predictions are neither too high nor too low. NaN without
        prediction or outcome. None of a task whose predictions have no such error. `rows` and `largest` are as in
        `losses`.
        """
        ...

    def row_figures(self, fitted: FittedTask, rows: pa.Table) -> dict[str, NDArray[np.float64]]:
        """Return figures of single rows, of whose means `expected` makes metrics, shape `[rows]` each.

        NaN without prediction or outcome. `rows` have the columns of `sketches.PREDICTED` and `OBSERVED`.
        """
        ...

    def expected(self, figures: BinnedFigures, counts: NDArray[np.int64]) -> dict[str, Figure]:
        """Return the metrics to be expected of one row or more without outcomes, named as in `sketch`.

        `figures` are those of `row_figures` on the holdout, and `counts` the rows by bin of the prediction.
        """
        ...
