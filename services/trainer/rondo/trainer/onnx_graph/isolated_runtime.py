"""The process that `fork_server` starts: each fork reads a graph and its inputs from stdin, and writes to stdout."""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import traceback
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# The exit codes besides 0. Any other code means that a bound or a crash ended the process.
NOT_LOADED, FAILED, TOO_LARGE = 3, 4, 5
# The exit code of a process that has had nothing to run for a while.
IDLE = 6
_FATAL = 4


def encoded(values: NDArray[Any]) -> NDArray[Any]:
    """Encode texts as the bytes of a JSON document, because NumPy would pickle arrays of objects."""
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
    """Set the limits of this process that the system supports. Linux supports all, macOS no limit of memory."""
    import resource  # noqa: PLC0415 - there is none on Windows

    # The limit is on data, not on addresses: an allocator reserves addresses for each thread, which use no memory.
    # The soft limit of time sends SIGXCPU. The hard one would send SIGKILL, which is also the signal for memory.
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


def main(idle_seconds: float) -> int:
    """Run a graph for each three files that are received. On Linux each run is a fork, and its exit code is sent back.

    Elsewhere this process runs one graph and ends, because Apple's libraries do not work in a fork.
    """
    np.savez(BytesIO())  # imports what a fork would import
    connection = socket.socket(fileno=os.dup(0))
    while True:
        if not select.select([connection], [], [], idle_seconds)[0]:
            return IDLE
        _, files, *_ = socket.recv_fds(connection, 1, 3)
        if not files:
            return 0
        if sys.platform != "linux":
            return _run_with(files)
        if not (pid := os.fork()):
            connection.close()
            # A regular end of the interpreter would take as long as a run.
            os._exit(_run_with(files))
        for file in files:
            os.close(file)
        _, status = os.waitpid(pid, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _run_with(files: Sequence[int]) -> int:
    """Run one graph with these descriptors as standard input, output and error."""
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    try:
        code = run()
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - the boundary: a fork must not return to the loop
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    return code


def run() -> int:
    """Run one graph within its bounds, and return the exit code."""
    with np.load(BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as written:
        arrays = [written[f"arr_{index}"] for index in range(len(written.files))]
    request = json.loads(arrays[0].tobytes())
    feeds = dict(zip(request["feeds"], map(_decoded, arrays[2:]), strict=True))
    import onnxruntime  # noqa: PLC0415 - it starts a thread, which a fork would not have

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
    sys.exit(main(float(sys.argv[1])))
