"""The worker process on a system on which LightGBM can't be loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENVIRONMENT = {
    "RONDO_KAFKA": "127.0.0.1:1",
    "RONDO_POSTGRES": "postgresql://trainer@127.0.0.1:1/none",
    "RONDO_HTTP_PORT": "0",
    "RONDO_DATA": "data",
    "RONDO_ARTIFACTS": "artifacts",
}
# What the loader raises on a system without GNU OpenMP.
PROGRAM = """
import ctypes, runpy
load = ctypes.CDLL.__init__
def without_openmp(self, name, *arguments, **options):
    if "lightgbm" in str(name):
        raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")
    load(self, name, *arguments, **options)
ctypes.CDLL.__init__ = without_openmp
runpy.run_module("rondo.trainer.worker", run_name="__main__")
"""


@pytest.mark.slow
def test_without_openmp_the_worker_exits_and_names_the_package_to_install() -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM],
        env=os.environ | ENVIRONMENT,
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 2
    assert "apt install libgomp1" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
