"""Compressed uploads."""

from __future__ import annotations

import gzip
import os
import zlib
from typing import TYPE_CHECKING

import pytest
from rondo.chassis.http.body import UnsupportedEncodingError
from rondo.ingestion.batches.compression import decoded
from rondo.ingestion.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONTENT = b"a,b\n1,2\n" * 1_000 + os.urandom(10_000)

WHOLE = gzip.compress(CONTENT)
CUT = WHOLE[:-10]
FALSE_CHECKSUM = WHOLE[:-8] + bytes(4) + WHOLE[-4:]


async def pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def decode(content: bytes, encoding: str | None, size: int = 100) -> bytes:
    return b"".join([piece async for piece in decoded(pieces(content, size), encoding)])


@pytest.mark.parametrize("size", [1, 100, 1_000_000])
@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
async def test_gzip_is_decoded(encoding: str, size: int) -> None:
    assert await decode(gzip.compress(CONTENT), encoding, size) == CONTENT


async def test_several_members_are_one_content() -> None:
    assert await decode(gzip.compress(CONTENT) + gzip.compress(b"end"), "gzip") == CONTENT + b"end"


@pytest.mark.parametrize("encoding", [None, "", "identity"])
@pytest.mark.parametrize("size", [1, 100, 1_000_000])
async def test_gzip_is_recognised_without_a_content_encoding(encoding: str | None, size: int) -> None:
    assert await decode(gzip.compress(CONTENT), encoding, size) == CONTENT


@pytest.mark.parametrize("content", [b"", b"\x1f", b"a"])
async def test_content_shorter_than_the_magic_number_is_unchanged(content: bytes) -> None:
    assert await decode(content, None) == content


@pytest.mark.parametrize("encoding", [None, "", "identity"])
async def test_plain_content_is_unchanged(encoding: str | None) -> None:
    assert await decode(CONTENT, encoding) == CONTENT


@pytest.mark.medium
async def test_a_bomb_is_decoded_in_small_pieces() -> None:
    bomb = gzip.compress(b"\x00" * 50_000_000)
    assert max([len(piece) async for piece in decoded(pieces(bomb, 1_000_000), "gzip")]) <= 1024 * 1024


@pytest.mark.parametrize("content", [b"plain", CUT, FALSE_CHECKSUM, WHOLE + b"trailing garbage", b""])
async def test_damaged_gzip_is_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableFileError):
        await decode(content, "gzip")


async def test_deflate_is_decoded_and_damage_names_it() -> None:
    whole = zlib.compress(CONTENT)
    assert await decode(whole, "deflate") == CONTENT
    with pytest.raises(UnreadableFileError, match="deflate"):
        await decode(whole[:-10], "deflate")


async def test_another_coding_is_refused() -> None:
    with pytest.raises(UnsupportedEncodingError) as raised:
        await decode(CONTENT, "br")
    assert raised.value.given == "br"
