"""NannyML's distances of a column: run as `python nannyml_distances.py <reference.npy> <rows.npy>`.

With the interpreter of the environment `drift`. Prints the Kolmogorov-Smirnov statistic of the rows, one chunk.
"""

from __future__ import annotations

import sys

import nannyml
import numpy as np
import pandas as pd


def main(reference: str, rows: str) -> None:
    before, now = (pd.DataFrame({"x": np.load(each)}) for each in (reference, rows))
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=["x"], continuous_methods=["kolmogorov_smirnov"], chunk_size=len(now)
    )
    found = calculator.fit(before).calculate(now).filter(period="analysis").to_df()
    sys.stdout.write(f"{float(found['x', 'kolmogorov_smirnov', 'value'].iloc[0])}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
