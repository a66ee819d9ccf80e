"""A declared dataset and its specs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rondo.contracts.spec.dataset.section import DatasetSpec


@dataclass(frozen=True)
class Dataset:
    """A dataset. `revision` is that of its last spec or removal, 0 if it was never declared.

    `history` has all specs that have been in force, oldest first. Specs from before a removal are included, because
    stored rows fit them.
    """

    name: str
    revision: int = 0
    history: tuple[DatasetSpec, ...] = ()
    is_declared: bool = False

    @property
    def spec(self) -> DatasetSpec | None:
        """The spec in force. None if the dataset is not declared, or was removed."""
        return self.history[-1] if self.is_declared else None


DATASET_CHAINS = "dataset."


def chain_of(dataset: str) -> str:
    """Return the audit chain of a dataset. It has a dot, so it is no chain of a model."""
    return f"{DATASET_CHAINS}{dataset}"
