"""Drift of each column by NannyML or Evidently, in chunks of rows.

Run as `python drift_reports.py <library> <reference.parquet> <rows.parquet> <rows of a chunk>` with the interpreter of
the environment `drift`. The library is `nannyml` or `evidently`, with their defaults, or `nannyml-ks`, with the
Kolmogorov-Smirnov statistic in place of the Jensen-Shannon distance. The module prints the CPU seconds for the chunks,
without those for fitting NannyML to the reference and for reading the files. Evidently has no state between reports:
each chunk is compared with the reference.
"""

from __future__ import annotations

import sys
import time
from functools import partial

import pandas as pd


def by_nannyml(reference: pd.DataFrame, rows: pd.DataFrame, chunk: int, method: str = "jensen_shannon") -> float:
    import nannyml  # noqa: PLC0415 - one library a process

    calculator = nannyml.UnivariateDriftCalculator(
        column_names=list(rows.columns), chunk_size=chunk, continuous_methods=[method]
    )
    calculator.fit(reference)
    began = time.process_time()
    calculator.calculate(rows)
    return time.process_time() - began


def by_evidently(reference: pd.DataFrame, rows: pd.DataFrame, chunk: int) -> float:
    from evidently import Report  # noqa: PLC0415 - as above
    from evidently.presets import DataDriftPreset  # noqa: PLC0415

    Report([DataDriftPreset()]).run(rows[:chunk], reference)  # one-time imports
    began = time.process_time()
    for first in range(0, len(rows), chunk):
        Report([DataDriftPreset()]).run(rows[first : first + chunk], reference)
    return time.process_time() - began


if __name__ == "__main__":
    library, reference, rows, chunk = sys.argv[1:]
    by_ks = partial(by_nannyml, method="kolmogorov_smirnov")
    of = {"nannyml": by_nannyml, "nannyml-ks": by_ks, "evidently": by_evidently}[library]
    sys.stdout.write(f"{of(pd.read_parquet(reference), pd.read_parquet(rows), int(chunk)):.3f}\n")
