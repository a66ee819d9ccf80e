"""LightGBM runs where the system has no GNU OpenMP: on the copy that scikit-learn's wheel brings."""

from __future__ import annotations

import subprocess
import sys

import pytest
from rondo.trainer.estimators.openmp import OpenMpMissingError, carried

PROGRAM = """
import ctypes
from rondo.trainer.estimators import openmp

real = ctypes.CDLL
def without(name, *args, **kwargs):
    if name == "libgomp.so.1":
        raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")
    return real(name, *args, **kwargs)
ctypes.CDLL = without
openmp.provide()
ctypes.CDLL = real
import lightgbm, numpy
x = numpy.arange(200.0).reshape(-1, 1)
model = lightgbm.train({"verbosity": -1, "num_threads": 2}, lightgbm.Dataset(x, (x[:, 0] > 100).astype(int)), 2)
loaded = open("/proc/self/maps").read()
lent = any(line.endswith(".so (deleted)") for line in loaded.splitlines())
print(model.num_trees(), "/libgomp.so.1" in loaded, lent)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems' wheels bring or name their own")
def test_a_system_without_openmp_is_lent_one() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own
    # The system's own library is not even opened: LightGBM found the name it needs loaded already.
    assert (done.stdout.split(), done.stderr) == (["2", "False", "True"], "")


def test_where_nothing_brings_it_the_way_out_is_named() -> None:
    with pytest.raises(OpenMpMissingError, match=r"apt install libgomp1\) or scikit-learn"):
        carried("no-such-package")
    with pytest.raises(OpenMpMissingError):
        carried("pytest")
