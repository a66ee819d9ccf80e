"""A model's answer with all outputs, and properties for the outputs that most programs need."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.figures import figure

# A number, a label (a text or a whole number), or the probability of each class.
Output: TypeAlias = dict[str, float | int | str | dict[str, float]]


class Prediction(BaseModel):
    """An answer. `output` has all outputs by name. Over HTTP there is no `digest` and no `made_at`.

    `warnings` name features and fields of the request that the model does not have, if the spec allows such requests.

    Outputs that a model does not have are None. A `binary` model has `score` and `label`, a `multiclass` model also has
    `probabilities`, and a `regression` model has `value` and may have `interval`.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    model: str
    model_version: int
    output: Annotated[Output, Field(min_length=1)]
    digest: str | None = None
    made_at: datetime | None = None
    warnings: tuple[str, ...] = ()

    @property
    def score(self) -> float | None:
        """The probability of the positive label of a binary model, or of `label` of a multiclass model."""
        return self._number("score")

    @property
    def label(self) -> str | int | None:
        found = self.output.get("label")
        return found if isinstance(found, str | int) else None

    @property
    def value(self) -> float | None:
        return self._number("value")

    @property
    def interval(self) -> tuple[float, float] | None:
        """The bounds within which the outcome lies with the probability that the spec asks for."""
        low, high = self._number("low"), self._number("high")
        return None if low is None or high is None else (low, high)

    @property
    def probabilities(self) -> dict[str, float] | None:
        """The probability of each class, by the text of the class."""
        found = self.output.get("probabilities")
        return found if isinstance(found, dict) else None

    def _number(self, name: str) -> float | None:
        found = self.output.get(name)
        return float(found) if isinstance(found, int | float) else None


def decode_answer(value: bytes) -> Prediction:
    """Return the answer in a message of `predictions.made`."""
    made = PredictionMade.model_validate_json(value)
    return Prediction(**{name: getattr(made, name) for name in Prediction.model_fields})


def shown(output: Output) -> str:
    """Return an output as text for people, the label first, without the probability of each class."""
    plain = {name: value for name, value in output.items() if not isinstance(value, dict)}
    names = sorted(plain, key=lambda name: name != "label")
    return ", ".join(f"{name} {_written(plain[name])}" for name in names)


def _written(value: object) -> str:
    return figure(value) if isinstance(value, float) else str(value)
