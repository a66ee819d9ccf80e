"""Raw contents read back as encoded. Wrong numbers of bytes are refused with the right number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.serving.errors import RequestRefusedError
from rondo.serving.open_inference import binary

INTEGERS = [f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]


@pytest.mark.medium
@given(st.lists(st.text(max_size=20), max_size=5))
def test_texts_read_back(texts: list[str]) -> None:
    raw = binary.encode("BYTES", texts)
    assert binary.decode("carrier", "BYTES", [len(texts), 1], raw) == texts


@pytest.mark.parametrize("datatype", INTEGERS)
def test_whole_numbers_read_back(datatype: str) -> None:
    low, high = (0, 200) if datatype.startswith("U") else (-100, 100)
    raw = binary.encode(datatype, [low, 1, high])
    assert len(raw) == 3 * int(datatype.partition("INT")[2]) // 8
    assert binary.decode("seats", datatype, [3], raw) == [low, 1, high]


@pytest.mark.parametrize(("datatype", "size"), [("FP16", 2), ("FP32", 4), ("FP64", 8)])
def test_floats_read_back_and_nan_is_missing(datatype: str, size: int) -> None:
    raw = binary.encode(datatype, np.array([0.5, np.nan, np.inf]))
    assert len(raw) == 3 * size
    assert binary.decode("distance", datatype, [3, 1], raw) == [0.5, None, np.inf]


def test_bools_are_single_bytes() -> None:
    assert binary.decode("night", "BOOL", [3], b"\x00\x01\x02") == [False, True, True]


@pytest.mark.parametrize(
    ("datatype", "raw", "message"),
    [
        ("FP32", bytes(7), "has 7 bytes: send 8, for 2 values of FP32"),
        ("BYTES", b"\x02\x00\x00\x00ab", "the 6 bytes of the feature `x` are not 2 texts"),
        ("BYTES", b"\x02\x00\x00\x00ab\xff\xff\xff\xff", "are not 2 texts: send each with its length in front"),
        ("BYTES", b"\x01\x00\x00\x00a\x01\x00\x00\x00bc", "are not 2 texts"),
        ("BYTES", b"\x01\x00", "are not 2 texts"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(datatype: str, raw: bytes, message: str) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        binary.decode("x", datatype, [2, 1], raw)
    assert caught.value.code == "bad_shape"
    assert message in str(caught.value)


def test_a_text_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(RequestRefusedError) as caught:
        binary.decode("x", "BYTES", [1], b"\x01\x00\x00\x00\xff")
    assert (caught.value.code, "encode texts in UTF-8" in str(caught.value)) == ("bad_encoding", True)


@pytest.mark.timeout(20)  # the product of this many numbers would take half an hour
@pytest.mark.parametrize("shape", [[10**9, 1], [-1], [2**62, 4], [1, 1, 1], [2**62] * 900_000])
def test_a_shape_beyond_the_limit_reads_nothing(shape: list[int]) -> None:
    assert binary.decode("x", "FP32", shape, b"") == []


@pytest.mark.medium
@given(st.sampled_from(["BYTES", "BOOL", *INTEGERS, "FP16", "FP32", "FP64", "x"]), st.data())
def test_any_bytes_are_the_values_of_their_shape_or_refused(datatype: str, data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(-1, 3), max_size=3))
    lengths = st.integers(0, 9).map(lambda length: length.to_bytes(4, "little"))
    raw = b"".join(data.draw(st.lists(lengths | st.binary(max_size=8), max_size=6)))
    try:
        values = binary.decode("x", datatype, shape, raw)
    except RequestRefusedError as error:
        assert error.code in {"bad_shape", "bad_encoding"}  # noqa: PT017 - others are faults
    else:
        assert len(values) in {0, np.prod(shape)}


def test_an_unknown_datatype_reads_nothing() -> None:
    assert binary.decode("x", "BF16", [2], bytes(4)) == []
