"""Detectors of a real package in a folder: their figures, their mistakes, their limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.monitor.user_detectors.process_runtime import DetectorProcess

from tests.monitor.builders import REFERENCE
from tests.monitor.statistics.windows import window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rondo.monitor.user_detectors.user_figures import UserFigures

# The detectors run in a process.
pytestmark = pytest.mark.process

CODE = """
import os, sys, time
import numpy as np
from .shares import shares

class Entropy:
    def detect(self, column):
        p = shares(column.observed)
        print("seen", column.name)
        return float(-(p[p > 0] * np.log(p[p > 0])).sum())

class Places:
    def detect(self, column):
        if column.categories is None:
            return {"edges": len(column.edges), "bins": len(column.observed)}

class Fails:
    def detect(self, column):
        raise RuntimeError("s0me mistake")

class Infinite:
    def detect(self, column):
        return float("inf")

class Unstorable:
    def detect(self, column):
        return {"a\\0b": 1.0}

class Lengthy:
    def detect(self, column):
        return {"a" * 65: 1.0}

class Loops:
    def detect(self, column):
        while True:
            pass

class Exits:
    def detect(self, column):
        os._exit(3)

class Settings:
    def detect(self, column):
        return float(any(name.startswith("RONDO_") for name in os.environ))

class Process:
    def detect(self, column):
        return float(os.getpid())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("detectors")
    package = found / "own"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "shares.py").write_text("def shares(counts):\n    return counts / max(counts.sum(), 1)\n")
    (package / "detectors.py").write_text(CODE)
    (found / "numpy").mkdir()
    return found


@pytest.fixture(scope="module")
def detectors(folder: Path) -> Iterator[DetectorProcess]:
    """Return the detectors of all tests of this file. Most tests share a process, which starts in 0.3 s."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RONDO_POSTGRES_PASSWORD", "s3cret")
        found = DetectorProcess(str(folder), 2.0)
        yield found
        found.close()


def figures(detectors: DetectorProcess, *names: str) -> UserFigures:
    chosen = [f"own.detectors:{name}" if name[0].isupper() else name for name in names]
    return detectors.figures(chosen, window({"city": [500, 500, 0, 0, 0]}), REFERENCE)


def values(found: UserFigures) -> dict[tuple[str | None, str], float]:
    return {(each.feature, each.statistic): each.value for each in found.statistics}


def test_a_detector_reports_a_figure_of_each_column(detectors: DetectorProcess) -> None:
    found = figures(detectors, "psi", "Entropy")
    assert (found.failures, list(values(found))) == ((), [(n, "Entropy") for n in ("x", "city", "output.score")])
    assert values(found)["city", "Entropy"] == pytest.approx(math.log(2))


def test_a_detector_may_report_several_figures_or_none(detectors: DetectorProcess) -> None:
    (column,) = (each for each in REFERENCE.binning.columns if each.name == "x")
    assert column.edges is not None
    found = values(figures(detectors, "Places"))
    assert (found["x", "Places.edges"], found["x", "Places.bins"]) == (len(column.edges), column.size)
    assert {feature for feature, _ in found} == {"x", "output.score"}


def test_a_detector_has_no_settings_and_its_process_stays(detectors: DetectorProcess) -> None:
    assert set(values(figures(detectors, "Settings")).values()) == {0.0}
    first, second = (set(values(figures(detectors, "Process")).values()) for _ in range(2))
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("Fails", "s0me mistake"),
        ("Infinite", "inf"),
        ("Unstorable", "'a\\x00b'"),
        ("Lengthy", "64"),
        ("Loops", "RONDO_DETECTOR_SECONDS"),
        ("Exits", "ended"),
        ("Missing", "Missing"),
        ("own.nothing:Entropy", "own.nothing"),
        ("absent.detectors:Entropy", "absent"),
        ("numpy:array", "numpy"),
        ("os:getpid", "os"),
    ],
)
def test_a_mistake_costs_the_figures_of_that_detector_alone(detectors: DetectorProcess, name: str, fact: str) -> None:
    found = figures(detectors, "Entropy", name, "Entropy")
    assert len(found.statistics) == 6
    (failure,) = found.failures
    assert fact in failure
    assert failure.startswith(name if ":" in name else f"own.detectors:{name}: ")


def test_without_a_folder_there_are_no_user_detectors() -> None:
    found = figures(DetectorProcess("", 2.0), "Entropy", "psi")
    assert (found.statistics, len(found.failures)) == ((), 1)
    assert "RONDO_DETECTORS is not set: set it to the folder of your packages, for the monitor" in found.failures[0]


def test_the_counts_are_those_of_the_window(detectors: DetectorProcess) -> None:
    assert np.isclose(values(figures(detectors, "Entropy"))["city", "Entropy"], math.log(2))
