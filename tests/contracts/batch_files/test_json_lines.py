"""The error of the first line of JSON Lines that is not a JSON object."""

from __future__ import annotations

import codecs
import io

import pytest
from rondo.contracts.batch_files.json_lines import invalid_line


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("first", [b'{"a":1}', b""])
def test_a_byte_order_mark_is_no_part_of_the_first_line(mark: bytes, first: bytes) -> None:
    lines = mark + first + b'\n{"a":1}' * 5
    assert invalid_line(io.BytesIO(lines)) is None
    problem = invalid_line(io.BytesIO(lines + b'\n{"a":\n'))
    assert problem is not None
    assert problem.why.startswith("line 7 is not JSON")
