"""Errors of onnxruntime, and the reasons in its messages."""

from __future__ import annotations

# onnxruntime's messages begin with a code, as `[ONNXRuntimeError] : 1 : FAIL : …`.
_AFTER_CODE = " : "
_NO_MEMORY = ("Failed to allocate memory", "bad_alloc", "MemoryError")


class GraphFailedError(ValueError):
    """A graph fails on the given rows. The message is onnxruntime's reason, in one line."""


def reason_of(error: str) -> str:
    """Return the reason in onnxruntime's error, in one line of at most 300 characters."""
    return " ".join(error.rpartition(_AFTER_CODE)[2].split())[:300]


def lacks_memory(error: str) -> bool:
    """Return whether onnxruntime's error is about the memory of the machine, and not about the rows."""
    return any(word in error for word in _NO_MEMORY)
