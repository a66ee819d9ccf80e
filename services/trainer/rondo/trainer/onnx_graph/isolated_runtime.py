"""The process that `isolated_run` starts: reads a graph and its inputs from stdin, writes the outputs to stdout."""

from __future__ import annotations

import json
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The exit codes beside 0; any other is the end of the process by a bound or a fault.
NOT_LOADED, FAILED = 3, 4
_FATAL = 4


def encoded(values: NDArray[Any]) -> NDArray[Any]:
    """Return texts as the bytes of a JSON document, because arrays of objects would be pickled."""
    if values.dtype != object:
        return values
    document = {"shape": values.shape, "texts": values.reshape(-1).tolist()}
    return np.frombuffer(json.dumps(document).encode(), np.uint8)


def _decoded(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype != np.uint8:
        return values
    document = json.loads(values.tobytes())
    return np.array(document["texts"], dtype=object).reshape(document["shape"])


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    """Bound this process, where the system can: Linux has both bounds, macOS that of the time."""
    import resource  # noqa: PLC0415 - there is none on Windows

    # Of the data, not of the addresses: an allocator reserves addresses for each thread, which cost no memory.
    for bound, most in ((resource.RLIMIT_DATA, memory_bytes), (resource.RLIMIT_CPU, cpu_seconds)):
        try:
            resource.setrlimit(bound, (most, most))
        except (ValueError, OSError):
            continue


def main() -> int:
    with np.load(BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as written:
        arrays = [written[f"arr_{index}"] for index in range(len(written.files))]
    request = json.loads(arrays[0].tobytes())
    feeds = dict(zip(request["feeds"], map(_decoded, arrays[2:]), strict=True))
    import onnxruntime  # noqa: PLC0415 - the parent imports this module, too

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = request["threads"]
    options.log_severity_level = _FATAL
    _limit(request["memory_bytes"], request["cpu_seconds"])
    try:
        session = onnxruntime.InferenceSession(arrays[1].tobytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime raises bare Exceptions
        sys.stderr.write(str(error))
        return NOT_LOADED
    try:
        found = session.run(request["outputs"], feeds)
    except Exception as error:  # noqa: BLE001 - as above
        sys.stderr.write(str(error))
        return FAILED
    buffer = BytesIO()
    np.savez(buffer, *map(np.asarray, found))
    sys.stdout.buffer.write(buffer.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
