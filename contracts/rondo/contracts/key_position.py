"""The position of a key from 0 to 1, which decides the version that answers: each version has a part of this range."""

from __future__ import annotations

import zlib

_SPACE = 2.0**32


def position(model: str, key: str) -> float:
    """Return the position of a key in [0, 1).

    The model's name is hashed too, so that two models split keys differently. The key of a request is its entity, or
    its id if it has none. CRC-32 spreads short keys evenly enough for shares of a percent, and is available in all
    common languages.
    """
    return zlib.crc32(key.encode(errors="surrogatepass"), zlib.crc32(model.encode())) / _SPACE
