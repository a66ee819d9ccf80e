"""The description of a failed write."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from deltalake.exceptions import DeltaError
from rondo.chassis.errors import UnavailableError
from rondo.ingestion.delta import storage_errors

DATA = Path("/data")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_named_with_what_to_do(number: int) -> None:
    text = os.strerror(number)
    assert re.fullmatch(f"{text}; free .* /data", storage_errors.describe(OSError(number, text), DATA))
    wrapped = f"Generic LocalFileSystem error: Unable to copy data: {text} (os error {number})"
    assert re.fullmatch(f"{re.escape(wrapped)}; free .* /data", storage_errors.describe(DeltaError(wrapped), DATA))


def test_any_other_error_keeps_the_systems_message() -> None:
    error = storage_errors.storage_unavailable(PermissionError(errno.EACCES, "Permission denied", "/data/x"), DATA)
    assert isinstance(error, UnavailableError)
    assert error.why == "Permission denied"
    assert storage_errors.describe(DeltaError(""), DATA) == "DeltaError"
