"""Formats numbers for people."""

from __future__ import annotations

from math import floor, isfinite, log10

_FROM, _TO = 1_000, 1e15


def figure(value: float, form: str = ".6g") -> str:
    """Return a number by a format, without an exponent where it is large: 265,300 rather than 2.653e+05.

    A format with `g` keeps its significant digits, and all digits before the point. From 1e15 on the result has an
    exponent.
    """
    if not form.endswith("g") or not isfinite(value) or not _FROM <= abs(value) < _TO:
        return f"{value:{form}}"
    digits = floor(log10(abs(value))) + 1
    text = f"{value:,.{max(0, int(form.strip('.g') or 6) - digits)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as `1 row` or `1,200 rows`. `plural` is for one that takes no `s`."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def duration(seconds: float) -> str:
    """Return a duration in the largest unit of which it has at least two, such as `40 min` or `6 h`."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
