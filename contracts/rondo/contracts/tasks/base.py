"""The protocol of a task: an object with everything that differs between tasks."""

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
# The kind of a raw prediction: the probability of the second of two classes, those of all classes, or a number.
TargetKind = Literal["probability", "probabilities", "number"]
# The type of a label in tables and logs.
Storage = Literal["number", "text"]


# The names of the tasks, which `registry` adds, and the documentation of a field with the name of a task.
NAMES: list[str] = []
NAME = (
    "What a model predicts: a name of `rondo.contracts.tasks`. Unknown: `rondo apply` refuses the spec. Of a stored"
    " spec with an unknown one, ingestion rejects the batches and dead-letters the outcomes, and says why: both can be"
    " sent again after an upgrade. The registry rejects a candidate whose evidence has an unknown one, and the monitor"
    " dead-letters its event."
)


class _Named:
    """Adds the names of the tasks to the JSON Schema of a field, as fields of open vocabularies have their words."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "examples": NAMES}


class Labels(Protocol):
    """The values of the label, in batches and in outcomes alike.

    Two objects are equal if they accept the same values.
    """

    @property
    def storage(self) -> Storage:
        """The type of a stored label: a float64 or a text."""
        ...

    @property
    def expected(self) -> str:
        """The allowed values, as text for a message."""
        ...

    def parse(self, value: object) -> float | str | None:
        """Return a JSON value as it is stored. None if the value is not a label."""
        ...

    def includes(self, stored: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return true for stored numbers that are labels.

        A table has other numbers if the model had another task before. NaN is not a label. The method is not called if
        labels are stored as text.
        """
        ...


@dataclass(frozen=True)
class Output:
    """One output of a model.

    A `number` is a float32 for each row, `probabilities` a float32 for each row and class. A `label` is an index into
    the labels in the ONNX graph, and the label itself in answers and in the inference log. The monitor compares the
    distribution of a `watched` output. An output that another output determines is not watched, because both drift
    together.

    If `of_label` is set, the number is the probability of the label with that index. If the number is an end of an
    interval, `coverage` is the coverage of the interval. It does not count in comparisons of outputs.
    """

    name: str
    kind: OutputKind
    watched: bool = True
    of_label: int | None = None
    coverage: float | None = field(default=None, compare=False)

    @property
    def tensor(self) -> str:
        """The name in the ONNX graph and in the inference log. It has a dot, unlike the names of features."""
        return f"output.{self.name}"


class Interval(BaseModel):
    """A prediction interval: the value plus and minus `half_width` covers the outcome with probability `coverage`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    coverage: float
    half_width: float


class Costs(BaseModel):
    """The cost of each error of a binary model, in any unit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    false_positive: float
    false_negative: float


class ResidualScale(BaseModel):
    """The units in which residuals and labels are counted as whole numbers, and the label that is counted as 0."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    residual: float
    label: float
    center: float


class FittedTask(BaseModel):
    """The task of one fitted model. It is in the metadata of the ONNX graph and in the evidence.

    `labels` are the classes in the order of the probabilities: the negative and the positive label for one probability,
    none for a number. If `numbers` is true, answers have labels as whole numbers. `threshold` is the lowest score that
    gets the positive label. `chosen_on` is the number of holdout rows that chose the threshold or the width of the
    interval, and None if nothing was chosen. `cost` is that of the spec.
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
        """The labels of answers."""
        return tuple(int(label) for label in self.labels) if self.numbers else self.labels


class Node(Protocol):
    """Creates an ONNX node, as `onnx.helper.make_node` does."""

    def __call__(self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Any: ...


class Task(Protocol):
    """A task. `raw` predictions have the shape `[rows, width]`. The width is 1, or the number of classes.

    Services use the methods of the object, and never compare its name.
    """

    name: ClassVar[str]
    # The prediction in one sentence, for the documentation of a spec.
    description: ClassVar[str]
    target: ClassVar[TargetKind]
    # The metrics of an evaluation by name. `primary` is the metric that slices, fairness and the monitor use if the
    # spec names none. `rates` are metrics of decisions, which fairness may compare between groups, too.
    metrics: ClassVar[Mapping[str, Metric]]
    primary: ClassVar[str]
    rates: ClassVar[tuple[str, ...]]
    # The keys of the spec's `prediction` that apply, and true if `data.positive` and `data.negative` apply.
    options: ClassVar[frozenset[str]]
    names_labels: ClassVar[bool]
    # True if the classes are those of the training rows, so that later rows may have others.
    open_classes: ClassVar[bool]
    # The output that is compared with an outcome.
    answer: ClassVar[str]
    # The values of a prediction that a performance sketch counts: columns of `sketches.PREDICTED`, each with its
    # output. A model may lack an output.
    counted: ClassVar[Mapping[str, str]]

    def labels(self, positive: str | None, negative: str | None) -> Labels:
        """Return the values of the label. The arguments are the spec's `data.positive` and `data.negative`."""
        ...

    def classes(self, labels: Sequence[float] | Sequence[str], known: Labels) -> tuple[str, ...]:
        """Return the classes of stored labels, in the order of the probabilities. None for numbers."""
        ...

    def targets(
        self, labels: NDArray[np.float64] | Sequence[float] | Sequence[str], classes: tuple[str, ...]
    ) -> NDArray[np.float32]:
        """Return stored labels as inputs of an estimator, shape `[rows]`: the index of the class, or the number.

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
        """Return the fitted task of a model, by the raw predictions and the targets of its holdout.

        `options` is the spec's `prediction`: threshold, cost, interval.
        """
        ...

    def outputs(self, fitted: FittedTask) -> tuple[Output, ...]:
        """Return the outputs of a model, in the order in which answers list them.

        Metrics of probabilities need a number that is `of_label` 1 if the target is one probability, and an output of
        the kind `probabilities` if it is several. Metrics of decisions need an output of the kind `label`.
        """
        ...

    def predictions(self, fitted: FittedTask, raw: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        """Return the outputs of raw predictions by name, with the values of the ONNX graph.

        A `number` is float32 `[rows]`, a `label` int64 `[rows]`, `probabilities` are float32 `[rows, classes]`.
        """
        ...

    def head(self, fitted: FittedTask, raw: str, node: Node) -> list[Any]:
        """Return the ONNX nodes from the tensor `raw`, float32 `[N, width]`, to the tensors of the outputs.

        A number and a label have the shape `[N, 1]`, probabilities `[N, classes]`. Opset 15 is enough.
        """
        ...

    def sketch(self, fitted: FittedTask) -> PerformanceSketch:
        """Return the sketch by which the monitor counts outcomes and predictions."""
        ...

    def group_sketch(self, fitted: FittedTask) -> PerformanceSketch:
        """Return the sketch of a slice, which has few numbers, because there may be many slices.

        Its figures may include `rates`.
        """
        ...

    def largest_loss(self, fitted: FittedTask, rows: pa.Table) -> float | None:
        """Return the error of the holdout that counts as a loss of 1. None if the losses of the task are bounded.

        `rows` have the columns of `sketches.PREDICTED` and `OBSERVED`. None also if no row has both a prediction and an
        outcome.
        """
        ...

    def losses(self, fitted: FittedTask, rows: pa.Table, largest: float | None) -> NDArray[np.float64]:
        """Return the loss of each prediction, from 0 to 1, shape `[rows]`. NaN without prediction or outcome.

        `rows` have the columns of `sketches.PREDICTED` and `OBSERVED`. `largest` is the result of `largest_loss` for
        the model. A task that needs it returns NaN if it is None. Losses are bounded so that one outlier can't dominate
        their mean.
        """
        ...

    def uncovered(self, fitted: FittedTask, rows: pa.Table) -> NDArray[np.float64] | None:
        """Return 1 if the outcome is outside of the interval, else 0, shape `[rows]`.

        NaN without prediction or outcome. The result is None for a model without intervals. `rows` are as in `losses`.
        """
        ...

    def bias(self, fitted: FittedTask, rows: pa.Table, largest: float | None) -> NDArray[np.float64] | None:
        """Return the outcome minus the prediction, scaled to -1 to 1, shape `[rows]`.

        The mean is the calibration in the large: 0 if predictions are neither too high nor too low on average. NaN
        without prediction or outcome. The result is None for a task without such an error. `rows` and `largest` are as
        in `losses`.
        """
        ...

    def row_figures(self, fitted: FittedTask, rows: pa.Table) -> dict[str, NDArray[np.float64]]:
        """Return figures of single rows, shape `[rows]` each. `expected` computes metrics from their means.

        NaN without prediction or outcome. `rows` have the columns of `sketches.PREDICTED` and `OBSERVED`.
        """
        ...

    def expected(self, figures: BinnedFigures, counts: NDArray[np.int64]) -> dict[str, Figure]:
        """Return the expected metrics of rows without outcomes, named as in `sketch`. There must be at least one row.

        `figures` are those of `row_figures` on the holdout, and `counts` are the rows by bin of the prediction.
        """
        ...
