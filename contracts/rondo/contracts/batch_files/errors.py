"""Why the content of a file can't be read."""

from __future__ import annotations


class UnreadableContentError(ValueError):
    """`why` says what is wrong with the content, `advice` what to do. The caller names the file or the batch."""

    def __init__(self, why: str, advice: str) -> None:
        self.why, self.advice = why, advice
        super().__init__(f"{why}; {advice}")
