"""What may be wrong with the data. The message says what to publish, or what to change in the spec."""

from __future__ import annotations


class DataMissingError(LookupError):
    """A training lacks data that its spec names."""


class DatasetMissingError(DataMissingError):
    """There is nothing to train on."""

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        super().__init__(
            f"there is no dataset {dataset!r}: publish a batch to it, or correct `data.dataset` in the spec"
        )


class ColumnMissingError(DataMissingError):
    """The data lacks columns that the spec names."""

    def __init__(self, dataset: str, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(
            f"the dataset {dataset!r} has no column {', '.join(missing)}: publish batches that have it, take it out of"
            " the spec, or mark the feature as optional"
        )


class DataDamagedError(RuntimeError):
    """A file is not what its table says it is. Polars has no error for that: it panics, which no `Exception` is."""

    def __init__(self, root: str, why: str) -> None:
        super().__init__(f"a file of the data under {root} is damaged ({why}): bring it back from a backup")
