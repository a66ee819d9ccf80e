"""Quantiles and intervals: how far a figure may be from its reference by chance alone."""

from __future__ import annotations

from math import asin, sqrt

from scipy import special


def normal_quantile(tail: float) -> float:
    """Return the value that a standard normal exceeds with probability `tail`."""
    return float(-special.ndtri(tail))


def normal_tail(value: float) -> float:
    """Return the probability that a standard normal exceeds a value."""
    return float(special.ndtr(-value))


def chi_square_quantile(tail: float, degrees: int) -> float:
    """Return the value that a chi-square exceeds with probability `tail`."""
    return float(special.chdtri(degrees, tail))


def chi_square_tail(value: float, degrees: int) -> float:
    """Return the probability that a chi-square exceeds a value."""
    return float(special.chdtrc(degrees, value))


def wilson(count: int, rows: int, tail: float) -> tuple[float, float]:
    """Return the interval of a share, each end missed with probability `tail` (Wilson, JASA 1927).

    As `scipy.stats.binomtest(…).proportion_ci(method="wilson")`, which takes a thousand times as long: it also tests.
    """
    if rows == 0:
        return 0.0, 1.0
    z, share = normal_quantile(tail), count / rows
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    return max(0.0, centre - half), min(1.0, centre + half)


def least_rise(count: int, rows: int, reference_count: int, reference_rows: int, tail: float) -> float:
    """Return the lower bound of how much a share rose over its reference; -1 without rows on either side.

    Newcombe, "Interval estimation for the difference between independent proportions" (Stat. Med. 1998), method 10.
    """
    if rows == 0 or reference_rows == 0:
        return -1.0
    share, reference = count / rows, reference_count / reference_rows
    low, high = wilson(count, rows, tail)[0], wilson(reference_count, reference_rows, tail)[1]
    return share - reference - sqrt((share - low) ** 2 + (high - reference) ** 2)


def effect_size(share: float, reference: float) -> float:
    """Return Cohen's h of two shares: a rise from 0 to 2% weighs as much as one from 50% to 65%."""
    return 2 * asin(sqrt(share)) - 2 * asin(sqrt(reference))
