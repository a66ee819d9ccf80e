"""The reason in an error of an object store. The texts are those of obstore, delta-rs and an S3 server."""

from __future__ import annotations

import pytest
from rondo.chassis import object_store

XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist.</Message></Error>"
)
OBSTORE = f"Generic S3 error: Error performing GET http://x/b in 2ms - Server returned status code: 404: {XML}\n\nDebug"
DELTA = f"Generic S3 error\n  \x1b[31m↳\x1b[0m Error performing list request\n  \x1b[31m↳\x1b[0m {XML}\n"
ANSWER = "NoSuchBucket: The specified bucket does not exist."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            OBSTORE,
            f"Generic S3 error: Error performing GET http://x/b in 2ms - Server returned status code: 404: {ANSWER}",
        ),
        (DELTA, f"Generic S3 error: {ANSWER}"),
        ("Too many open files\n\nDebug source:\n", "Too many open files"),
        ("", "OSError"),
    ],
)
def test_the_reason_is_the_first_line_and_what_the_store_answered(text: str, expected: str) -> None:
    assert object_store.reason(OSError(text)) == expected


@pytest.mark.parametrize(
    ("code", "missing"), [("NoSuchBucket", True), ("ContainerNotFound", True), ("NoSuchKey", False)]
)
def test_a_missing_bucket_is_told_from_a_missing_object(code: str, missing: bool) -> None:  # noqa: FBT001
    assert object_store.bucket_is_missing(OSError(XML.replace("NoSuchBucket", code))) is missing
    assert not object_store.bucket_is_missing(OSError("not found"))
