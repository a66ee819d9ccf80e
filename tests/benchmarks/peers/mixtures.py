"""Mixture supermartingales of normal scores by `confseq` or `expectation`, which is a port of it.

Run as `python mixtures.py <confseq or expectation> <sums.npz> <results.npz>` with the interpreter of the environment
`sequences` or `bets`. The sums are `sums` and `blocks`, the number of scores in each. The results are the logarithms
for the widths of the prior in `widths`, under `<width's number>/<1 if one-sided>`.
"""

from __future__ import annotations

import importlib
import sys

import numpy as np

ALPHA = 0.05


def optimal(width: float, alpha: float) -> float:
    """Return the variance for which the libraries choose this prior (Howard et al. 2021, equation 14)."""
    logarithm = 2 * np.log(1 / alpha)
    return float((logarithm + np.log1p(logarithm)) / width)


def main(library: str, given: str, answered: str) -> None:
    module = {"confseq": "confseq.boundaries", "expectation": "expectation.modules.boundaries"}[library]
    mixture = importlib.import_module(module).normal_log_mixture
    found = {}
    with np.load(given) as saved:
        sums, blocks = saved["sums"], saved["blocks"].astype(float)
        for number, width in enumerate(saved["widths"].tolist()):
            for one_sided in (False, True):
                variance = optimal(width, 2 * ALPHA if one_sided else ALPHA)
                pairs = zip(sums.tolist(), blocks.tolist(), strict=True)
                values = [float(mixture(s, v, variance, ALPHA, one_sided)) for s, v in pairs]
                found[f"{number}/{int(one_sided)}"] = np.array(values)
    np.savez(answered, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
