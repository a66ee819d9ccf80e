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
NOT_LOADED, FAILED, TOO_LARGE = 3, 4, 5
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


def _limit(memory_bytes: int, cpu_seconds: int, file_bytes: int) -> None:
    """Bound this process, where the system can: Linux has all bounds, macOS not that of the memory."""
    import resource  # noqa: PLC0415 - there is none on Windows

    # Of the data, not of the addresses: an allocator reserves addresses for each thread, which cost no memory.
    # At the soft bound of the time the signal is SIGXCPU, at the hard one SIGKILL, which is that of memory, too.
    bounds = (
        (resource.RLIMIT_DATA, memory_bytes, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 5),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
    )
    for bound, soft, hard in bounds:
        try:
            resource.setrlimit(bound, (soft, hard))
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
    _limit(request["memory_bytes"], request["cpu_seconds"], request["output_bytes"])
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
    outputs = [np.asarray(each) for each in found]
    buffer = BytesIO()
    if sum(each.nbytes for each in outputs) <= request["output_bytes"]:
        np.savez(buffer, *outputs)
    if not 0 < buffer.tell() <= request["output_bytes"]:
        return TOO_LARGE
    sys.stdout.buffer.write(buffer.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
