"""LightGBM runs where the system has no GNU OpenMP: with the copy that scikit-learn's wheel contains."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rondo.embedded.processes import openmp

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other wheels contain their own library")
PROGRAM = """
import lightgbm, numpy
x = numpy.arange(200.0).reshape(-1, 1)
model = lightgbm.train({"verbosity": -1, "num_threads": 2}, lightgbm.Dataset(x, (x[:, 0] > 100).astype(int)), 2)
print(model.num_trees(), *{line.split()[-1] for line in open("/proc/self/maps") if line.endswith("/libgomp.so.1\\n")})
"""


@pytest.mark.slow
def test_a_process_without_the_systems_library_finds_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openmp, "_is_installed", lambda: False)
    environment = os.environ | openmp.prepare(tmp_path)
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=90)  # noqa: S603, PLW1510 - our own program, whose output is compared
    # The search path comes before the system's, so that the copy is loaded even where there is another.
    assert (done.stdout.split(), done.stderr) == (["2", str(tmp_path / openmp.SONAME)], "")


def test_a_system_that_has_it_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openmp, "_is_installed", lambda: True)
    assert openmp.prepare(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["no-such-package", "pytest"])
def test_where_nothing_contains_it_the_package_to_install_is_named(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openmp, "_CARRIER", package)
    with pytest.raises(openmp.OpenMpMissingError) as caught:
        openmp.copy_to(tmp_path)
    assert caught.value.code == "openmp_missing"
    assert "libgomp1" in str(caught.value)
