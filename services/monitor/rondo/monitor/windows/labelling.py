"""Counts pairs of prediction and outcome into the windows of the predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from rondo.monitor.detectors import performance

if TYPE_CHECKING:
    import pyarrow as pa

    from rondo.monitor.windows.tumbling import Tumbling
    from rondo.monitor.windows.window_counts import Sketch


def label(windows: dict[tuple[int, int], Sketch], pairs: pa.Table, tumbling: Tumbling) -> int:
    """Add the pairs to `windows` (by version and start); returns how many outcomes came too late to count.

    Too late is known after the window was due, by event time alone; or read after the window was judged, which
    happens only where it did not wait for its outcomes.
    """
    pairs = pairs.filter(pc.is_finite(pairs.column("score")))
    starts = tumbling.starts(pairs.column("event_time").to_numpy())
    versions = pairs.column("version").to_numpy()
    in_time = pairs.column("known_at").to_numpy() <= starts + tumbling.length + tumbling.delay
    scores, outcomes = pairs.column("score").to_numpy(), pairs.column("outcome").to_numpy()
    counted = 0
    for key, sketch in list(windows.items()):
        mask = in_time & (versions == key[0]) & (starts == key[1])
        if mask.any():
            windows[key] = sketch.with_outcomes(performance.histogram(scores[mask], outcomes[mask]))
            counted += int(mask.sum())
    return int(pairs.num_rows) - counted
