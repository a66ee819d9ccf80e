"""river's ADWIN over a pipe: run as `python adwin.py <delta>` with the interpreter of the environment `drift`.

Each line of stdin is a JSON list of numbers. The answer is a JSON line with the places in it at which ADWIN saw a
change, and the width of its window at its end.
"""

from __future__ import annotations

import json
import sys

from river.drift import ADWIN


def main(delta: float) -> None:
    detector = ADWIN(delta=delta)
    for line in sys.stdin:
        changes = []
        for place, value in enumerate(json.loads(line)):
            detector.update(value)
            if detector.drift_detected:
                changes.append(place)
        sys.stdout.write(json.dumps({"changes": changes, "width": int(detector.width)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]))
