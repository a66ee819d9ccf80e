"""The process of users' detectors: `python -m rondo.monitor.user_detectors <descriptor of the answers> <folder>`.

Each line of standard input is a request, and each line of the answers is its answer. A request without columns imports
a detector. A request with columns is for a window, or with `blocks` for blocks of rows. The process ends at the end of
its input, and when a request takes longer than its `seconds`. Output of a detector goes to the log.
"""

import importlib
import json
import math
import os
import re
import signal
import sys
import traceback
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from rondo.monitor.user_detectors.user_figures import Column

_MOST = 500
_CHANGES = "it had two different figures of the same rows: keep no state, and use no random numbers or clock"
# An event has room for names of this length, and can store these characters.
_NAME = re.compile(r"[\w .:-]{1,64}")


def main() -> None:
    descriptor, folder = int(sys.argv[1]), sys.argv[2]
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - no process that a detector starts keeps it open
    sys.dont_write_bytecode = True
    detectors: dict[str, Any] = {}
    with os.fdopen(descriptor, "w") as answers:
        for line in sys.stdin:
            # The default action of the timer's signal ends the process, also if the monitor has been killed meanwhile.
            request = json.loads(line)
            signal.setitimer(signal.ITIMER_REAL, request["seconds"] + 1)
            answer = _answer(request, folder, detectors)
            signal.setitimer(signal.ITIMER_REAL, 0)
            answers.write(f"{json.dumps(answer)}\n")
            answers.flush()


def _answer(request: dict[str, Any], folder: str, detectors: dict[str, Any]) -> dict[str, Any]:
    name = request["detector"]
    try:
        if name not in detectors:
            detectors[name] = _made(name, folder)
        if "blocks" in request:
            return _of_blocks(name, detectors[name], request)
        figures = [figure for each in request["columns"] for figure in _figures(name, detectors[name], each)]
    except BaseException as error:  # noqa: BLE001 - the boundary: also SystemExit is the detector's
        return {"error": _reason(error)}
    return {"figures": figures}


def _of_blocks(name: str, detector: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of each block, None where the detector fails, and the first error.

    A block has the rows by bin of some of the columns. The first block is computed twice, before the others and after
    them.
    """
    columns = {each["name"]: each for each in request["columns"]}
    found, errors = list[list[tuple[str, str, float]] | None](), list[str]()
    for block in [*request["blocks"], *request["blocks"][:1]]:
        try:
            given = [columns[column] | {"observed": observed} for column, observed in block.items()]
            found.append([figure for each in given for figure in _figures(name, detector, each)])
        except Exception as error:  # noqa: BLE001 - the boundary: a block without figures
            found.append(None)
            errors.append(_reason(error))
    again = found.pop()
    if again != found[0]:
        errors.insert(0, _CHANGES)
        found = [None] * len(found)
    return {"figures": found, "error": errors[0] if errors else None}


def _reason(error: BaseException) -> str:
    traceback.print_exc()
    return traceback.format_exception_only(error)[-1].strip()[:_MOST]


def _made(name: str, folder: str) -> Any:
    module, _, kind = name.partition(":")
    package = module.partition(".")[0]
    if folder not in sys.path:
        sys.path.append(folder)
    found = find_spec(package)
    if found is None or not str(found.origin or folder).startswith(folder):
        raise ImportError(f"{package} is another package that is installed: rename it")
    return getattr(importlib.import_module(module), kind)()


def _figures(name: str, detector: Any, column: dict[str, Any]) -> list[tuple[str, str, float]]:
    given = Column(
        column["name"],
        np.array(column["observed"], np.int64),
        np.array(column["reference"], np.int64),
        None if column["edges"] is None else tuple(column["edges"]),
        None if column["categories"] is None else tuple(column["categories"]),
    )
    found, kind = detector.detect(given), name.partition(":")[2]
    if found is None:
        return []
    if isinstance(found, Mapping) and (wrong := [key for key in found if not _NAME.fullmatch(str(key))]):
        raise ValueError(f"it named a figure of {given.name} {wrong[0]!r:.80}: use 1 to 64 letters, digits or _ .:-")
    values = {f"{kind}.{key}": value for key, value in found.items()} if isinstance(found, Mapping) else {kind: found}
    for value in values.values():
        if not math.isfinite(value):
            raise ValueError(f"it returned {value} of {given.name}: return a finite number, or None")
    return [(given.name, key, float(value)) for key, value in values.items()]


if __name__ == "__main__":
    main()
