"""The values of a binary label, in batches and in outcomes alike."""

from __future__ import annotations

from dataclasses import dataclass

YES_NO = {"1": 1.0, "0": 0.0, "true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class BinaryLabels:
    """Two texts, or 0 and 1 (also written true and false) where the spec names no texts."""

    positive: str | None = None
    negative: str | None = None

    @property
    def texts(self) -> dict[str, float]:
        """The texts and the value of each, 0 or 1."""
        if self.positive is None or self.negative is None:
            return YES_NO
        return {self.negative: 0.0, self.positive: 1.0}

    @property
    def expected(self) -> str:
        """The values, as a message names them."""
        if self.positive is None or self.negative is None:
            return "0 or 1, or true or false"
        return f"{self.negative!r} or {self.positive!r}"

    def parse(self, value: object) -> float | None:
        """Return 0.0 or 1.0 for a JSON value; None for a value that is neither label.

        Texts are compared without surrounding blanks. `true` and `false` are read in any case; the texts of a spec are
        compared exactly. A whole number, true or false matches the text that it is written as.
        """
        if self.positive is not None and self.negative is not None:
            return self.texts.get(_written(value))
        if isinstance(value, str):
            return YES_NO.get(value.strip().lower())
        return float(value) if isinstance(value, int | float) and value in (0, 1) else None


ZERO_ONE = BinaryLabels()


def _written(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return ""
