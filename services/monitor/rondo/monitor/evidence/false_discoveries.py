"""The evidence at which a figure of a group is named as changed. It bounds false alarms and the share of false names.

M(i) is the largest evidence of figure i so far, of n in the group. `level` is the group's share a of the false-alarm
rate. If i has not changed, M(i) reaches c at any time with probability 1 / c at most (Ville's inequality; for the
stages of a test see `staged_test`), whatever the other figures do.

*The first name* needs the evidence n / a. By the union bound a group without a change has a first name at any time with
probability a at most.

*Further names* need less: the k largest are named where each has reached n h / (k a), h = 1 + 1/2 + ... + 1/n, or
n / a if that is less (Benjamini and Yekutieli, "The control of the false discovery rate in multiple testing under
dependency", Annals of Statistics 2001). This is e-BH (Wang and Ramdas, "False discovery rate control with e-values",
JRSS B 2022) of evidence that has been adjusted as the largest one of a process has to be (Choe and Ramdas, "Combining
evidence across filtrations using adjusters", 2024).

*The share of false names* has an expectation of 2 a at most, at the worst of all times. A false name among k adds 1 / k
to the share. Its evidence has reached n / a, with probability a / n at most, or n h / (k a). With f(k) = k a / (n h) as
the bound of the latter probability, the second part is at most the sum over k of (f(k) - f(k-1)) / k = a / n. Both add
up to 2 a / n for each of the n figures, and over groups to twice the false-alarm rate. As evidence and names only grow,
this holds for the worst time, too.

*Over all models* of an installation the same rule names the models whose alarms remain evident among many models
(`evident_over_models`). The largest evidence of a version, as a share of what its first name needs, is at least r with
probability 1 / r times its false-alarm rate at most. So it takes the place of M(i), and the expected share of false
names among the models is at most the mean of their rates, at any time that does not depend on their evidence.

The mean of the figures' evidence, which would only have to reach 1 / a, is not a valid test. The ranks of a column's
blocks are independent of its own earlier ranks, but not of those of other columns. The more columns there are, the more
their ranks reveal of the rows, and no bet on exchangeability can grow among known rows (Ramdas, Ruf, Larsson, Koolen,
"Testing exchangeability: fork-convexity, supermartingales and e-processes", 2022). So the evidence of each figure is a
martingale by itself, but their mean is not. With the adjustment above, the mean would alarm later than the union bound
where few figures change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def naming_threshold(evidence: NDArray[np.float64], level: float) -> float:
    """Return the logarithm of the evidence at which figures of a group are named now. It never rises.

    `evidence` has the logarithm of the largest evidence so far of each figure of the group, shape `[figures]`.
    """
    count = len(evidence)
    first = float(np.log(count / level))
    if evidence.max() < first:
        return first
    names = np.arange(1, count + 1)
    thresholds = np.minimum(first, np.log(count * (1 / names).sum() / (names * level)))
    reached = np.flatnonzero(np.sort(evidence)[::-1] >= thresholds)
    return float(thresholds[reached[-1]])


def evident_over_models(strengths: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the models whose change is evident among all of them, shape `[models]`.

    `strengths` has, for each model, the logarithm of its largest evidence as a share of what its first name needs. 0 or
    more is an alarm.
    """
    count = len(strengths)
    names = np.arange(1, count + 1)
    thresholds = np.log(count * (1 / names).sum() / names)
    reached = np.flatnonzero(np.sort(strengths)[::-1] >= thresholds)
    return np.asarray(strengths >= (thresholds[reached[-1]] if len(reached) else np.inf))
