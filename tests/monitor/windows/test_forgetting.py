"""Which waiting rows are still awaited."""

from __future__ import annotations

import pyarrow as pa
import pytest
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.forgetting import Progress, awaited_outcomes, awaited_predictions
from rondo.monitor.windows.tumbling import Tumbling

TUMBLING = Tumbling(10, 3)
PREDICTIONS = pa.table({"event_time": [5, 15, 25]})
OUTCOMES = pa.table({"known_at": [1, 20, 30]})


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (Progress(predictions=33, outcomes=33, judged=NEVER), [True, True, True]),
        (Progress(predictions=23, outcomes=23, judged=20), [False, False, True]),
        (Progress(predictions=23, outcomes=NEVER, judged=20), [True, True, True]),
        (Progress(predictions=26, outcomes=NEVER, judged=20), [False, True, True]),
    ],
)
def test_predictions_of_a_judged_window_are_awaited_as_long_as_their_outcomes_are_behind(
    progress: Progress, expected: list[bool]
) -> None:
    assert expected == awaited_predictions(PREDICTIONS, TUMBLING, progress).tolist()


def test_outcomes_are_awaited_as_long_as_a_prediction_may_come_for_them() -> None:
    assert awaited_outcomes(OUTCOMES, TUMBLING, Progress(NEVER, NEVER, NEVER)).tolist() == [True, True, True]
    assert awaited_outcomes(OUTCOMES, TUMBLING, Progress(33, 33, 20)).tolist() == [False, False, True]
