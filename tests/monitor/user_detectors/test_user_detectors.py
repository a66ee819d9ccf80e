"""Detectors of a real package in a folder: their figures, their mistakes, their limits."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.monitor.evidence.block_figures.count_blocks import CountBlock
from rondo.monitor.user_detectors import process_runtime
from rondo.monitor.user_detectors.block_figures import SampledBlock
from rondo.monitor.user_detectors.process_runtime import DetectorProcess

from tests.monitor.builders import REFERENCE
from tests.monitor.statistics.windows import window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rondo.monitor.user_detectors.block_figures import BlockFigures
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

class Rarely:
    def detect(self, column):
        if column.observed[0] > 50:
            raise RuntimeError("more than 50")
        return {"first": column.observed[0], "rows": column.observed.sum()}

class Counts:
    calls = 0
    def detect(self, column):
        Counts.calls += 1
        return Counts.calls

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


def blocks_of(first: list[int]) -> list[SampledBlock]:
    """Return blocks of 100 rows of x, with these numbers of rows in its first bin."""
    (size,) = (each.size for each in REFERENCE.binning.columns if each.name == "x")
    found = []
    for number, rows in enumerate(first):
        block = CountBlock(("x",), 100, number, number + 1, np.zeros(0, np.int64))
        found.append(SampledBlock(block, {"x": np.array([rows, 100 - rows, *[0] * (size - 2)])}))
    return found


def block_figures(detectors: DetectorProcess, name: str, blocks: list[SampledBlock]) -> BlockFigures:
    return detectors.block_figures([f"own.detectors:{name}"], blocks, REFERENCE)


def test_a_detector_has_figures_of_many_blocks_in_few_requests(detectors: DetectorProcess) -> None:
    first = [at % 50 for at in range(150)]
    found = block_figures(detectors, "Rarely", blocks_of(first))
    assert found.failures == ()
    assert found.by_detector["own.detectors:Rarely"] == tuple(
        {("x", "first"): float(each), ("x", "rows"): 100.0} for each in first
    )


def test_only_the_blocks_on_which_a_detector_fails_have_no_figures(detectors: DetectorProcess) -> None:
    found = block_figures(detectors, "Rarely", blocks_of([10, 60, 20]))
    assert found.failures == ("own.detectors:Rarely: RuntimeError: more than 50",)
    first, failed, last = found.by_detector["own.detectors:Rarely"]
    assert (first, failed, last) == (
        {("x", "first"): 10, ("x", "rows"): 100},
        None,
        {("x", "first"): 20, ("x", "rows"): 100},
    )


def test_a_detector_with_two_figures_of_the_same_rows_has_none(detectors: DetectorProcess) -> None:
    found = block_figures(detectors, "Counts", blocks_of([10, 20]))
    assert found.by_detector["own.detectors:Counts"] == (None, None)
    assert "it had two different figures of the same rows: keep no state" in found.failures[0]


def test_a_detector_without_a_package_has_no_figures_of_blocks(detectors: DetectorProcess) -> None:
    found = detectors.block_figures(["absent:Entropy"], blocks_of([1]), REFERENCE)
    assert found.by_detector == {"absent:Entropy": (None,)}
    assert "absent" in found.failures[0]


@pytest.mark.slow
def test_a_detector_that_does_not_return_costs_its_time_once(folder: Path) -> None:
    detectors = DetectorProcess(str(folder), 0.5)
    try:
        block_figures(detectors, "Entropy", blocks_of([1]))
        begin = time.monotonic()
        for _ in range(3):
            found = block_figures(detectors, "Loops", blocks_of([1] * 200))
            assert found.by_detector["own.detectors:Loops"] == (None,) * 200
            assert "RONDO_DETECTOR_SECONDS" in found.failures[0]
        assert time.monotonic() - begin < 3.0
        (figure,) = block_figures(detectors, "Entropy", blocks_of([1])).by_detector["own.detectors:Entropy"]
        assert figure
    finally:
        detectors.close()


def later(patch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic
    patch.setattr(time, "monotonic", lambda: now() + seconds)


@pytest.mark.medium
def test_a_detector_whose_import_does_not_end_costs_a_small_part_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.py").write_text("import time\ntime.sleep(1000)\n")
    monkeypatch.setattr(process_runtime, "_START_SECONDS", 2.0)
    detectors = DetectorProcess(str(tmp_path), 0.1)
    asked = list[str]()
    prepare = detectors._prepare

    def counted(name: str) -> None:
        asked.append(name)
        prepare(name)

    monkeypatch.setattr(detectors, "_prepare", counted)

    def failure() -> str:
        (found,) = detectors.block_figures(["own:Entropy"], blocks_of([1]), REFERENCE).failures
        return found

    try:
        found = failure()
        assert all(fact in found for fact in ("import", "2 s"))
        assert "RONDO_DETECTOR_SECONDS" not in found
        with monkeypatch.context() as patch:
            later(patch, 20.0)
            failure()
        assert len(asked) == 1
        with monkeypatch.context() as patch:
            later(patch, 40.0)
            failure()
        assert len(asked) == 2
    finally:
        detectors.close()


@pytest.mark.medium
def test_a_detector_that_ends_the_process_pays_for_the_imports_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\ntime.sleep(1)\nclass Entropy:\n    def detect(self, column):\n        return 1.0\n"
    )
    (tmp_path / "own.py").write_text("import os\nclass Exits:\n    def detect(self, column):\n        os._exit(3)\n")
    detectors = DetectorProcess(str(tmp_path), 0.5)
    try:
        assert not detectors.block_figures(["slow:Entropy"], blocks_of([1]), REFERENCE).failures
        assert detectors.block_figures(["own:Exits"], blocks_of([1]), REFERENCE).failures
        later(monkeypatch, 11.0)
        begin = time.monotonic()
        assert detectors.block_figures(["own:Exits"], blocks_of([1]), REFERENCE).failures
        assert time.monotonic() - begin < 0.05
    finally:
        detectors.close()


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
