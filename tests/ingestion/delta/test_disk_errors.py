"""What is said of a disk that does not take what is written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from deltalake.exceptions import DeltaError
from rondo.ingestion.delta import disk_errors

DATA = Path("/data")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_where_room_lacks_the_way_out_is_named(number: int) -> None:
    text = os.strerror(number)
    assert disk_errors.said(OSError(number, text), DATA) == f"{text}; free some space on the disk of /data"
    wrapped = f"Generic LocalFileSystem error: Unable to copy data: {text} (os error {number})"
    assert disk_errors.said(DeltaError(wrapped), DATA) == f"{wrapped}; free some space on the disk of /data"


def test_another_error_is_told_as_the_system_tells_it() -> None:
    assert str(disk_errors.away(PermissionError(errno.EACCES, "Permission denied", "/data/x"), DATA)) == (
        "the disk of the data is not available (Permission denied); this will be tried again until it is"
    )
    assert disk_errors.said(DeltaError(""), DATA) == "DeltaError"
