"""The reason why a model is not explained by its trees."""

from __future__ import annotations

# The code of a reason that passes: the artifact store did not answer.
UNAVAILABLE = "unavailable"


class NotTreesError(ValueError):
    """A graph is not a sum of trees of a matrix whose columns each have one feature. `reason` says why.

    `code` is a word for the kind of the reason.
    """

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)
