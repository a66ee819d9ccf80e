"""Errors of a model made elsewhere that can't be used. Each message says what to export instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rondo.trainer.errors import TrainingImpossibleError

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = 8


class ExternalModelError(TrainingImpossibleError):
    """A model made elsewhere can't be used."""

    code: ClassVar[str] = "external_model"


class NotOnnxError(ExternalModelError):
    """The bytes are no ONNX model."""

    code = "not_onnx"

    def __init__(self) -> None:
        super().__init__(
            "the file is not an ONNX model: convert the model (skl2onnx, onnxmltools, torch.onnx), or let"
            " `rondo.client.register` convert an estimator of scikit-learn, LightGBM or XGBoost"
        )


class ModelTooLargeError(ExternalModelError):
    """The graph has more bytes than a model may have."""

    code = "model_too_large"

    def __init__(self, size: int, largest: int) -> None:
        self.size, self.largest = size, largest
        super().__init__(
            f"the model has {size:,} bytes, and at most {largest:,} are allowed: use fewer or shallower trees, or"
            " smaller layers"
        )


class ModelTooComplexError(ExternalModelError):
    """The graph has too many parts to be parsed."""

    code = "model_too_complex"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the model is not read, {why}: join its nodes, such as trees, into fewer operators, or use a smaller model"
        )


class ExternalDataError(ExternalModelError):
    """A tensor of the graph is in another file."""

    code = "external_data"

    def __init__(self, tensor: str) -> None:
        self.tensor = tensor
        super().__init__(
            f"the tensor {tensor!r} of the model is in another file, which is never read: save the model in one file"
            " (`onnx.save(model, path, save_as_external_data=False)`)"
        )


class CustomOperatorError(ExternalModelError):
    """The graph uses operators beyond the two standard domains, or functions of its own."""

    code = "custom_operator"

    def __init__(self, operator: str, domain: str) -> None:
        self.operator, self.domain = operator, domain
        super().__init__(
            f"the model uses {operator} of the domain {domain!r}, and only the operators of ai.onnx and ai.onnx.ml can"
            " be served: export it without custom operators and without optimizations for one runtime"
        )


class ModelFunctionsError(ExternalModelError):
    """The graph defines functions."""

    code = "model_functions"

    def __init__(self, function: str) -> None:
        self.function = function
        super().__init__(
            f"the model defines functions of its own, such as {function!r}: inline them with"
            " `onnx.inliner.inline_local_functions(model)`"
        )


class UnsupportedOpsetError(ExternalModelError):
    """The graph needs newer operators than serving has."""

    code = "unsupported_opset"

    def __init__(self, domain: str, version: int, newest: int) -> None:
        self.domain, self.version, self.newest = domain, version, newest
        super().__init__(
            f"the model needs version {version} of the operators {domain}, and serving has up to {newest}: export it"
            f" with the target opset {newest} or less"
        )


class RandomOperatorError(ExternalModelError):
    """The graph draws random numbers."""

    code = "random_operator"

    def __init__(self, operator: str) -> None:
        self.operator = operator
        super().__init__(
            f"the model has the operator {operator}, which gives another value at every run: export it for inference,"
            " without dropout or sampling"
        )


class TrainingModeError(ExternalModelError):
    """A normalization takes its statistics from the rows of a request."""

    code = "training_mode"

    def __init__(self, node: str) -> None:
        self.node = node
        super().__init__(
            f"the BatchNormalization {node!r} of the model is as in training, so the answer to a row would depend on"
            " the rows beside it: export it for inference (in PyTorch `model.eval()` before torch.onnx.export, in Keras"
            " `training=False`)"
        )


class BatchDependentError(ExternalModelError):
    """The prediction of a row depends on the rows beside it."""

    code = "batch_dependent"

    def __init__(self, rows: int, difference: float) -> None:
        self.rows, self.difference = rows, difference
        super().__init__(
            f"the model's answer to a row depends on the rows beside it: {rows} rows alone have other predictions than"
            f" among more (by {difference:.3g}): export it without a mean, a maximum or a normalization over the rows"
        )


class InvalidGraphError(ExternalModelError):
    """ONNX or onnxruntime finds a fault in the graph."""

    code = "invalid_graph"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the model is not a valid ONNX graph ({why}): check it with `onnx.checker.check_model`, and run it once"
            " with onnxruntime"
        )


class UnmatchedInputsError(ExternalModelError):
    """The inputs of the graph are not the features of the spec."""

    code = "unmatched_inputs"

    def __init__(self, problems: Sequence[str], features: Sequence[str]) -> None:
        self.problems, self.features = tuple(problems), tuple(features)
        super().__init__(
            f"the inputs of the model do not fit the features: {'; '.join(problems)}. A model has one input of shape"
            f" [N, 1] for each feature, with its name, or one float input of shape [N, {len(features)}] with the"
            f" columns {listed(features)}"
        )


class UnclearOutputError(ExternalModelError):
    """It is not clear which output is the prediction."""

    code = "unclear_output"

    def __init__(self, found: Sequence[str], problem: str, wanted: str) -> None:
        self.found = tuple(found)
        super().__init__(f"the outputs of the model are {', '.join(found) or 'none'}, and {problem}: {wanted}")


class ZipMapError(ExternalModelError):
    """The probabilities are dictionaries (the operator ZipMap)."""

    code = "zipmap"

    def __init__(self, output: str) -> None:
        self.output = output
        super().__init__(
            f"the output {output!r} of the model is a list of dictionaries (ZipMap), and a tensor is needed: convert it"
            " with `options={'zipmap': False}` (skl2onnx) or `zipmap=False` (onnxmltools)"
        )


class UnmatchedClassesError(ExternalModelError):
    """The classes of the graph are not those of the label."""

    code = "unmatched_classes"

    def __init__(self, found: Sequence[str], problem: str) -> None:
        self.found = tuple(found)
        super().__init__(
            f"{problem}: fit the model to the labels as they are published, or name them in the metadata"
            ' `rondo.classes` of the model, in the order of the probabilities, as JSON such as ["no", "yes"]'
        )


class NotProbabilitiesError(ExternalModelError):
    """The predictions of a classifier are no probabilities."""

    code = "not_probabilities"

    def __init__(self, output: str, problem: str) -> None:
        self.output = output
        super().__init__(
            f"the output {output!r} of the model has no probabilities: {problem}; export the probabilities, not the"
            " margins (`raw_scores`), or end the model with a sigmoid or softmax"
        )


class RunFailedError(ExternalModelError):
    """onnxruntime can't run the graph on labelled rows."""

    code = "run_failed"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the model fails on labelled rows ({why}): run it with onnxruntime on rows as they are published, with"
            " their missing values (NaN, and the empty text) and unseen categories"
        )


class OutputTooLargeError(ExternalModelError):
    """The prediction has far more values than rows and classes."""

    code = "output_too_large"

    def __init__(self, largest: int, rows: int) -> None:
        self.largest, self.rows = largest, rows
        super().__init__(
            f"the prediction of the model for {rows:,} rows has more than {largest:,} bytes: export one value a row, or"
            " one for each class"
        )


class RunTimeoutError(ExternalModelError):
    """The graph takes too long."""

    code = "run_timeout"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"the model has not scored the labelled rows within {seconds:g} s: use a smaller model, or a smaller"
            " `trainer.holdout`"
        )


class RunMemoryError(ExternalModelError):
    """The graph needs too much memory."""

    code = "run_memory"

    def __init__(self, memory_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        super().__init__(
            f"the model needs more than {memory_bytes / 1024**3:g} GiB of memory to score the labelled rows: use a"
            " smaller model, or a smaller `trainer.holdout`"
        )


def listed(names: Sequence[str]) -> str:
    """Return names as text in their order. Of many names only the first ones."""
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more
