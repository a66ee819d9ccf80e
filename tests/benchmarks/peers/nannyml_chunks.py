"""NannyML's Jensen-Shannon distance of each column and chunk.

Run as `python nannyml_chunks.py <series.npz> <results.npz> <rows of a chunk>` with the interpreter of the environment
`drift`. The first file has arrays `reference/<name>` and `live/<name>` of equal lengths. The second the distances of
the chunks under the same names.
"""

from __future__ import annotations

import sys

import nannyml
import numpy as np
import pandas as pd


def main(series: str, results: str, chunk: int) -> None:
    with np.load(series) as saved:
        frames = {
            part: pd.DataFrame({name.split("/")[1]: saved[name] for name in saved.files if name.startswith(part)})
            for part in ("reference", "live")
        }
    columns = list(frames["reference"].columns)
    calculator = nannyml.UnivariateDriftCalculator(column_names=columns, chunk_size=chunk)
    found = calculator.fit(frames["reference"]).calculate(frames["live"])
    values = {
        f"{part}/{name}": found.filter(period=period).to_df()[name, "jensen_shannon", "value"].to_numpy(float)
        for part, period in (("reference", "reference"), ("live", "analysis"))
        for name in columns
    }
    np.savez(results, **values)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
