"""Starts the worker: `python -m rondo.trainer.worker <name>`, with a socket to the service as standard input."""

import asyncio
import logging
import os
import signal
import sys

from rondo.chassis import telemetry
from rondo.chassis.settings import load_or_exit
from rondo.trainer.errors import OpenMpMissingError
from rondo.trainer.settings import Settings

log = logging.getLogger(__name__)


def main() -> None:
    """Set the process up, then load the libraries: polars and OpenMP read their environment when they are loaded."""
    settings = load_or_exit(Settings)
    telemetry.set_up(settings)
    os.environ |= dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS"), str(settings.worker_threads))
    # Threads that spin while they wait for each other make a fit of 300,000 rows take 22 to 47 s instead of 4 s on a
    # busy machine (2 cores, 2 threads, one busy neighbour).
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Ctrl-C sends SIGINT to all processes of the terminal. The service stops, and the worker stops after it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        from rondo.trainer.worker import app  # noqa: PLC0415 - after the environment is set
    except OpenMpMissingError as error:
        log.critical("%s", error)
        sys.exit(2)
    asyncio.run(app.run(settings, name=sys.argv[1] if len(sys.argv) > 1 else f"worker-{os.getpid()}"))


if __name__ == "__main__":
    main()
