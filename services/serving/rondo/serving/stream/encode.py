"""Encodes answers: what a micro-batch shares is written once, and repeated around each id and score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

_encode = msgspec.json.Encoder().encode


def encode(
    model: str, model_version: int, digest: str, ids: Sequence[str], scores: NDArray[np.float32], made_at: datetime
) -> list[bytes]:
    """Return one `PredictionMade` as JSON per id, in the same order; `scores` has shape [N] and is finite."""
    before = b'{"model":%b,"model_version":%d,"digest":%b,"made_at":%b,"id":' % (
        _encode(model), model_version, _encode(digest), _encode(made_at),
    )  # fmt: skip
    between, after = b',"output":{"score":', b"}}"
    return [
        b"".join((before, id_, between, score, after))
        for id_, score in zip(map(_encode, ids), _numbers(scores), strict=True)
    ]


def _numbers(scores: NDArray[np.float32]) -> list[bytes]:
    """Write numbers in the fewest digits that read back as the same float32."""
    return orjson.dumps(scores, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
