"""Settings of the trainer from environment variables. The service and its worker process read the same."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import BeforeValidator, DirectoryPath, Field

from rondo.chassis.settings import PostgresSettings
from rondo.contracts.locations import TableRoot

# Variables for programs, libraries, files, language, time zone, threads and GPUs.
_PLAIN = {"PATH", "HOME", "USER", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
_PLAIN_PREFIXES = ("LC_", "PYTHON", "OMP_", "OPENBLAS_", "MKL_", "NUMEXPR_", "CUDA_")


def environment_without_secrets() -> dict[str, str]:
    """Return the variables of this process that a process with users' code may have. docs/functions.md lists them.

    Any other variable may hold a credential, whatever its name is (PGPASSWORD, OTEL_EXPORTER_OTLP_HEADERS).
    """
    return {name: value for name, value in os.environ.items() if name in _PLAIN or name.startswith(_PLAIN_PREFIXES)}


class Settings(PostgresSettings):
    """RONDO_DATA is the root of the Delta tables, RONDO_ARTIFACTS the artifact store: each a folder or a URL.

    RONDO_FUNCTIONS is the folder with the packages of functions that train. A call may take `function_seconds` seconds.

    `worker_threads` bounds the threads of a training. A worker that does not renew its claim for `worker_lease` seconds
    loses its run to another. A run fails after `worker_attempts` attempts.
    """

    service: str = "trainer"
    data: TableRoot
    artifacts: str = Field(min_length=1)
    functions: Annotated[DirectoryPath | None, BeforeValidator(lambda path: path or None)] = None
    function_seconds: Annotated[float, Field(gt=0)] = 3600.0
    worker_threads: Annotated[int, Field(ge=1)] = os.cpu_count() or 1
    worker_lease: Annotated[float, Field(gt=0)] = 15.0
    worker_attempts: Annotated[int, Field(ge=1)] = 3
    worker_niceness: Annotated[int, Field(ge=0, le=19)] = 10
