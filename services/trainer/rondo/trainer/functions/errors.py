"""Errors of a user's function that made no model. Each message says what to change, and where."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from rondo.trainer.errors import TrainingImpossibleError
from rondo.trainer.onnx_graph.parity import BOUND, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_NAMES = 20


class FunctionsNotSetError(TrainingImpossibleError):
    """The trainer has no folder of functions."""

    code = "functions_not_set"

    def __init__(self, function: str) -> None:
        super().__init__(
            f"the trainer has no folder of functions, and `trainer.function` is {function}: its operator sets"
            " RONDO_FUNCTIONS to a folder that has the package, and starts the trainer again"
        )


class PackageMissingError(TrainingImpossibleError):
    """The folder of functions has no such package."""

    code = "function_package_missing"

    def __init__(self, package: str, folder: Path, there: Sequence[str]) -> None:
        self.package, self.there = package, tuple(there)
        found = f"which has {_listed(there)}" if there else "which has no package"
        super().__init__(
            f"there is no package {package!r} in RONDO_FUNCTIONS ({folder}), {found}: copy its folder or wheel there,"
            " or correct `trainer.function`"
        )


class SeveralPackagesError(TrainingImpossibleError):
    """Several files of the folder contain the package."""

    code = "function_package_twice"

    def __init__(self, package: str, found: Sequence[str]) -> None:
        self.package, self.found = package, tuple(found)
        super().__init__(f"{' and '.join(found)} in RONDO_FUNCTIONS all have the package {package!r}: keep one of them")


class UnusableWheelError(TrainingImpossibleError):
    """A wheel can't be read, or has compiled code, which can't be imported from a wheel."""

    code = "function_wheel"

    def __init__(self, wheel: str, why: str) -> None:
        self.wheel = wheel
        super().__init__(f"the wheel {wheel} in RONDO_FUNCTIONS {why}")


class NameTakenError(TrainingImpossibleError):
    """An installed package, or a module of Python, has the name of the package."""

    code = "function_name_taken"

    def __init__(self, package: str) -> None:
        self.package = package
        super().__init__(
            f"the trainer has an installed package {package!r} already, which would be imported instead: rename the"
            " package in RONDO_FUNCTIONS, and correct `trainer.function`"
        )


class ModuleMissingError(TrainingImpossibleError):
    """The package has no such module."""

    code = "function_module_missing"

    def __init__(self, module: str, package: str, there: Sequence[str]) -> None:
        self.module, self.there = module, tuple(there)
        super().__init__(
            f"there is no module {module!r} in {package} of RONDO_FUNCTIONS, which has {_listed(there)}: correct"
            " `trainer.function`, or add the module"
        )


class FunctionMissingError(TrainingImpossibleError):
    """The module has no such function."""

    code = "function_missing"

    def __init__(self, module: str, name: str, there: Sequence[str]) -> None:
        self.module, self.name, self.there = module, name, tuple(there)
        found = f"which has {_listed(there)}" if there else "which has none"
        super().__init__(
            f"there is no function {name!r} in the module {module}, {found}: correct `trainer.function`, or add it"
        )


class FunctionFailedError(TrainingImpossibleError):
    """The function, or the import of its module, raised an error."""

    code = "function_failed"

    def __init__(self, function: str, error: str, place: str) -> None:
        self.error, self.place = error, place
        super().__init__(
            f"`trainer.function` {function} failed: {error} ({place}): correct the package in RONDO_FUNCTIONS; the"
            " trainer's log has the whole traceback"
        )


class NoModelError(TrainingImpossibleError):
    """The function returned something that is no ONNX model."""

    code = "function_no_model"

    def __init__(self, function: str, found: str) -> None:
        self.found = found
        super().__init__(
            f"`trainer.function` {function} returned {found}, and an `onnx.ModelProto`, or the bytes of one, is needed,"
            " alone or in a pair with a function that predicts:"
            " convert the model (skl2onnx, onnxmltools, torch.onnx), or build its graph with `onnx.helper`"
        )


class FunctionModelError(TrainingImpossibleError):
    """The function returned an ONNX model that can't be served. `reason` is the error code of the cause."""

    code = "function_model"

    def __init__(self, function: str, reason: str, why: str) -> None:
        self.reason = reason
        super().__init__(f"the model that `trainer.function` {function} returned can't be served: {why}")


class NoPredictionsError(TrainingImpossibleError):
    """The function's own predictions are no array that fits the rows and the output of its graph."""

    code = "function_no_predictions"

    def __init__(self, function: str, found: str) -> None:
        self.found = found
        super().__init__(
            f"the `predict` that `trainer.function` {function} returned gave {found}: let it return an array of floats"
            " in the shape of the graph's output, with a row for each row that it gets"
        )


class UnfaithfulGraphError(TrainingImpossibleError):
    """The graph that the function returned and its own predictions differ for the row `row`."""

    code = "function_parity"

    def __init__(self, function: str, difference: float, row: Mapping[str, Any]) -> None:
        self.difference, self.row = difference, row
        super().__init__(
            f"the graph that `trainer.function` {function} returned differs from its `predict` by {difference:.2g}, and"
            f" at most {BOUND:g} is allowed, so the candidate is dropped: correct how the graph is made, or `predict`;"
            f" the row with the largest difference is {shown(row)}"
        )


class FunctionTimeoutError(TrainingImpossibleError):
    """The function takes too long."""

    code = "function_timeout"

    def __init__(self, function: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"`trainer.function` {function} has not returned within {seconds:g} s and was stopped: make it faster"
            " (`trainer.window` gives it fewer rows), or let the trainer's operator raise RONDO_FUNCTION_SECONDS"
        )


class FunctionDiedError(TrainingImpossibleError):
    """The process of the function ended without a result."""

    code = "function_died"

    def __init__(self, function: str, exit_code: int) -> None:
        self.exit_code = exit_code
        if exit_code == -signal.SIGKILL:
            why = "was killed, most likely for lack of memory: shorten `trainer.window`, or give the trainer more"
        elif exit_code < 0:
            why = f"was ended by {signal.Signals(-exit_code).name}: correct the compiled code that it calls"
        else:
            why = f"exited with {exit_code}: a function returns its model, and does not end its process"
        super().__init__(f"the process of `trainer.function` {function} {why}")


class PackageChangedError(TrainingImpossibleError):
    """The package was changed while its function ran, so no digest identifies the code that trained."""

    code = "function_package_changed"

    def __init__(self, package: str) -> None:
        self.package = package
        super().__init__(
            f"{package} in RONDO_FUNCTIONS was changed while it trained, so it is not known which code made the model:"
            " train again (`rondo train`)"
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more
