"""Parses errors of object stores: obstore, delta-rs and polars wrap the store's XML answer in different texts."""

from __future__ import annotations

import re

# The form of the error documents of S3, Google Cloud Storage and Azure.
_ANSWER = re.compile(r"<Code>([^<]+)</Code>\s*(?:<Message>([^<]*)</Message>)?")
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound"})


def reason(error: BaseException) -> str:
    """Return the first line of an error, and the code and message of the store's answer, if there is one."""
    text = str(error) or type(error).__name__
    first = text.partition("\n")[0].partition("<?xml")[0].rstrip(": ")
    answer = _ANSWER.search(text)
    return ": ".join(filter(None, [first, *answer.groups()])) if answer else first


def bucket_is_missing(error: BaseException) -> bool:
    """Return whether the bucket or container does not exist. Libraries report it as an object that was not found."""
    answer = _ANSWER.search(str(error))
    return answer is not None and answer[1] in _NO_BUCKET
