# /// script
# requires-python = ">=3.11"
# dependencies = ["fairlearn==0.15.0", "numpy==2.4.6", "pandas==3.1.1", "scikit-learn==1.9.1", "scipy==1.17.1"]
# ///
"""Prints the gap between groups that fairlearn's `MetricFrame` has for each task and metric, of rows on standard input.

`uv run --script` gives it an environment of its own: see decision 27.
"""

import json
import sys

from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn.metrics import accuracy_score, mean_absolute_error, root_mean_squared_error

METRICS = {
    "selection_rate": selection_rate,
    "true_positive_rate": true_positive_rate,
    "false_positive_rate": false_positive_rate,
    "accuracy": accuracy_score,
    "mae": mean_absolute_error,
    "rmse": root_mean_squared_error,
}


def main() -> None:
    """Read a list of tables with the keys `task`, `metrics`, `targets`, `predicted` and `groups`."""
    gaps = {}
    for table in json.load(sys.stdin):
        frame = MetricFrame(
            metrics={name: METRICS[name] for name in table["metrics"]},
            y_true=table["targets"],
            y_pred=table["predicted"],
            sensitive_features=table["groups"],
        )
        found = frame.difference(method="between_groups").to_dict()
        gaps |= {f"{table['task']}, {name}": gap for name, gap in found.items()}
    sys.stdout.write(json.dumps(gaps))


if __name__ == "__main__":
    main()
