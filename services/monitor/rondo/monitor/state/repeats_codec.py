"""Encodes the state of repeated requests as JSON, and decodes it. Hashes are base64 of little-endian uint64."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.monitor.quality.distinct_sketch import DistinctSketch
from rondo.monitor.quality.repeated_features import RepeatedFeatures, RepeatedFeaturesAlarm
from rondo.monitor.quality.repeats import Repeats, RepeatShares, WindowRepeats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def encode_repeats(repeats: Repeats) -> dict[str, object]:
    features = repeats.features
    return {
        "windows": {
            str(start): {"requests": _sketch(each.requests), "features": _sketch(each.features)}
            for start, each in repeats.windows.items()
        },
        # There are hundreds of them, and `asdict` would copy each field by field.
        "closed": {str(start): dict(vars(each)) for start, each in repeats.closed.items()},
        "open": dict(repeats.open),
        "features": {
            "version": features.version,
            "stage": features.stage,
            "shares": list(features.shares),
            "starts": list(features.starts),
            "hashes": _text(features.hashes),
            "began": features.began,
            "alarm": asdict(features.alarm) if features.alarm else None,
        },
    }


def decode_repeats(figures: Mapping[str, Any]) -> Repeats:
    """Return the encoded state. Empty for a checkpoint of an earlier release, which has no such figures."""
    if not figures:
        return Repeats()
    features: dict[str, Any] = dict(figures["features"])
    features |= {"shares": tuple(features["shares"]), "starts": tuple(features["starts"])}
    features |= {"hashes": _hashes(features["hashes"])}
    features |= {"alarm": RepeatedFeaturesAlarm(**features["alarm"]) if features["alarm"] else None}
    return Repeats(
        {
            int(start): WindowRepeats(_decoded(each["requests"]), _decoded(each["features"]))
            for start, each in figures["windows"].items()
        },
        {int(start): RepeatShares(**each) for start, each in figures["closed"].items()},
        RepeatedFeatures(**features),
        dict(figures["open"]),
    )


def _sketch(sketch: DistinctSketch) -> dict[str, object]:
    return {"rows": sketch.rows, "smallest": _text(sketch.smallest)}


def _decoded(figures: Mapping[str, Any]) -> DistinctSketch:
    return DistinctSketch(figures["rows"], _hashes(figures["smallest"]))


def _text(hashes: NDArray[np.uint64]) -> str:
    return b64encode(hashes.astype("<u8").tobytes()).decode()


def _hashes(text: str) -> NDArray[np.uint64]:
    return np.frombuffer(b64decode(text), "<u8").astype(np.uint64)
