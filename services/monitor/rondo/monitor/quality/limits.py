"""How long a stream may be silent, and how far behind its event times may be, by its own rhythm.

A limit is a multiple of the longest gap of the kept weeks. If gaps are independent and no heavier than exponential, the
chance that a gap exceeds c times the longest of n before is n B(n, c + 1) (order statistics of uniforms, Rényi 1953).
With the factors here and n gaps in five weeks, that is 0.12 false alarms a year for n = 20, 0.10 for 200, where the
factor changes, and 0.02 for 1,000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.quality.rhythm import HOUR, WEEK, live_weeks

if TYPE_CHECKING:
    from rondo.monitor.quality.rhythm import Rhythm

FEWEST_GAPS = 20
# From so many gaps on, twice the longest one is exceeded as rarely in a year as three times the longest of the fewest.
_MANY_GAPS = 200
_FACTOR, _FACTOR_OF_MANY = 3, 2
# A deployment or a restart of the sender takes minutes, however dense the stream is.
SHORTEST_SILENCE = HOUR // 4
SHORTEST_LAG = HOUR


def longest_gap(rhythm: Rhythm) -> int | None:
    """Return the longest usual gap of the kept weeks, in microseconds.

    None before a whole week of at least `FEWEST_GAPS` gaps: until then nobody knows whether a pause is a weekend.
    """
    live = live_weeks(rhythm.weeks)
    if sum(each.gaps for each in live) < FEWEST_GAPS or rhythm.last - live[0].since < WEEK:
        return None
    return max(each.longest for each in live)


def silence_limit(rhythm: Rhythm) -> int | None:
    """Return how long the stream may be silent, in microseconds. None while its rhythm is not known.

    A pause that was reported is usual when it happens a second time within the kept weeks, up to the shorter one.
    """
    longest = longest_gap(rhythm)
    if longest is None:
        return None
    gaps = sum(each.gaps for each in live_weeks(rhythm.weeks))
    factor = _FACTOR if gaps < _MANY_GAPS else _FACTOR_OF_MANY
    repeated = sorted(length for _, length in rhythm.pauses)[-2:-1]
    return max(SHORTEST_SILENCE, factor * longest, *(_FACTOR_OF_MANY * length for length in repeated))


def lag_limit(rhythm: Rhythm) -> int | None:
    """Return how far behind the newest event time may be. None before a complete week that is no replay.

    The week that fills does not count: there a lag that grows would raise its own limit.
    """
    live = live_weeks(rhythm.weeks[:-1])
    if not live or rhythm.last - live[0].since < WEEK:
        return None
    return max(SHORTEST_LAG, _FACTOR * max(each.lag for each in live))
