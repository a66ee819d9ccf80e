"""Which version answers a key: keys have positions from 0 to 1, and each version has a part of them."""

from __future__ import annotations

import zlib

_SPACE = 2.0**32


def position(model: str, key: str) -> float:
    """Return the position of a key in [0, 1). The model's name is hashed too, so that two models split differently.

    The key of a request is its entity, or else its id. CRC-32 spreads short keys evenly enough for shares of a percent,
    and is in the standard library of every language.
    """
    return zlib.crc32(key.encode(errors="surrogatepass"), zlib.crc32(model.encode())) / _SPACE
