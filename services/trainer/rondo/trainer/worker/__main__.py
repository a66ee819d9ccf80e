"""Start the worker: `python -m rondo.trainer.worker <name>`, with a socket to the service as standard input."""

import asyncio
import os
import signal
import sys

from rondo.chassis import telemetry
from rondo.chassis.settings import load_or_exit
from rondo.trainer.settings import Settings

# LightGBM loads these where they are installed, for interfaces that a training here does not use: 3 of the 6 s of CPU
# that a start takes.
UNUSED = ("sklearn", "pandas", "dask", "matplotlib", "graphviz")


def main() -> None:
    """Set the process up, then load what training takes: polars and OpenMP read their threads when they are loaded."""
    settings = load_or_exit(Settings)
    telemetry.set_up(settings)
    os.environ |= dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS"), str(settings.worker_threads))
    # None makes an import fail, and LightGBM is ready for that.
    sys.modules |= dict.fromkeys(UNUSED)  # type: ignore[arg-type]
    # Ctrl-C reaches the whole terminal; the service stops for it, and the worker when the service has gone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from rondo.trainer.worker.app import run  # noqa: PLC0415 - after the threads are set

    asyncio.run(run(settings, name=sys.argv[1] if len(sys.argv) > 1 else f"worker-{os.getpid()}"))


if __name__ == "__main__":
    main()
