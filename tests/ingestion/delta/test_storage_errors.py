"""The description of a failed write."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from deltalake.exceptions import DeltaError
from rondo.ingestion.delta import storage_errors

DATA = Path("/data")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_named_with_what_to_do(number: int) -> None:
    text = os.strerror(number)
    assert storage_errors.describe(OSError(number, text), DATA) == f"{text}; free some space on the disk of /data"
    wrapped = f"Generic LocalFileSystem error: Unable to copy data: {text} (os error {number})"
    assert storage_errors.describe(DeltaError(wrapped), DATA) == f"{wrapped}; free some space on the disk of /data"


def test_any_other_error_keeps_the_systems_message() -> None:
    assert str(
        storage_errors.storage_unavailable(PermissionError(errno.EACCES, "Permission denied", "/data/x"), DATA)
    ) == ("the data storage is not available (Permission denied); this will be tried again until it is")
    assert storage_errors.describe(DeltaError(""), DATA) == "DeltaError"
