"""Which waiting rows nothing can come for any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.monitor.stream.watermark import NEVER

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from rondo.monitor.windows.tumbling import Tumbling


@dataclass(frozen=True)
class Progress:
    """Times in microseconds: how far predictions and outcomes have `passed`, and the windows are `judged`."""

    predictions: int
    outcomes: int
    judged: int


def awaited_outcomes(outcomes: pa.Table, tumbling: Tumbling, progress: Progress) -> NDArray[np.bool_]:
    """Tell which outcomes a prediction may still come for."""
    oldest = max(progress.predictions - tumbling.length - tumbling.delay, NEVER)
    return np.asarray(outcomes.column("known_at").to_numpy() > oldest)


def awaited_predictions(predictions: pa.Table, tumbling: Tumbling, progress: Progress) -> NDArray[np.bool_]:
    """Tell which of the champion's predictions an outcome may still come for.

    Those of a judged window are over with it. Where it was judged without its outcomes they wait as long again: what
    comes then is too late, and is told so.
    """
    times = predictions.column("event_time").to_numpy()
    due = tumbling.starts(times) + tumbling.length + tumbling.delay
    again = due + tumbling.length + tumbling.delay
    over = (due <= progress.outcomes) | (again <= progress.predictions)
    return np.asarray((times >= progress.judged) | ~over)
