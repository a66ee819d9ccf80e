"""Limits on the silence of a stream and on the lag of its event times, from the stream's own rhythm.

A limit is a multiple of the longest gap of the kept weeks. If gaps are independent and no heavier than exponential, the
chance that a gap exceeds c times the longest of n before is n B(n, c + 1) (order statistics of uniforms, Rényi 1953).
With the factors of this module and n gaps in five weeks, that is 0.12 false alarms a year for n = 20, 0.10 for 200,
where the factor changes, and 0.02 for 1,000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.quality.rhythm import HOUR, WEEK, live_weeks

if TYPE_CHECKING:
    from rondo.monitor.quality.rhythm import Rhythm

FEWEST_GAPS = 20
# With at least this many gaps, twice the longest one is exceeded as rarely in a year as three times the longest of the
# fewest gaps.
_MANY_GAPS = 200
_FACTOR, _FACTOR_OF_MANY = 3, 2
# A deployment or a restart of the sender takes minutes, independent of the density of the stream.
SHORTEST_SILENCE = HOUR // 4
SHORTEST_LAG = HOUR


def longest_gap(rhythm: Rhythm) -> int | None:
    """Return the longest usual gap of the kept weeks, in microseconds.

    None before a whole week with at least `FEWEST_GAPS` gaps: until then a weekend can't be distinguished from an
    outage.
    """
    live = live_weeks(rhythm.weeks)
    if sum(each.gaps for each in live) < FEWEST_GAPS or rhythm.last - live[0].since < WEEK:
        return None
    return max(each.longest for each in live)


def silence_limit(rhythm: Rhythm) -> int | None:
    """Return the longest silence of the stream that is allowed, in microseconds. None while its rhythm is not known.

    A reported pause becomes usual when a second one occurs within the kept weeks. The shorter of the two counts.
    """
    longest = longest_gap(rhythm)
    if longest is None:
        return None
    gaps = sum(each.gaps for each in live_weeks(rhythm.weeks))
    factor = _FACTOR if gaps < _MANY_GAPS else _FACTOR_OF_MANY
    repeated = sorted(length for _, length in rhythm.pauses)[-2:-1]
    return max(SHORTEST_SILENCE, factor * longest, *(_FACTOR_OF_MANY * length for length in repeated))


def lag_limit(rhythm: Rhythm) -> int | None:
    """Return the largest allowed lag of the newest event time, in microseconds.

    None before a complete week without a replay. The present week does not count, because a growing lag would raise its
    own limit.
    """
    live = live_weeks(rhythm.weeks[:-1])
    if not live or rhythm.last - live[0].since < WEEK:
        return None
    return max(SHORTEST_LAG, _FACTOR * max(each.lag for each in live))
