"""Errors of files whose content can't be read."""

from __future__ import annotations


class UnreadableContentError(ValueError):
    """The content of a file can't be read. `why` says what is wrong, `advice` what to do. The caller names the file."""

    def __init__(self, why: str, advice: str) -> None:
        self.why, self.advice = why, advice
        super().__init__(f"{why}; {advice}")
