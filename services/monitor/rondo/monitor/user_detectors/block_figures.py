"""The input of users' detectors for blocks of rows, and the figures that their evidence is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from rondo.monitor.evidence.block_figures.count_blocks import kept_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    from rondo.monitor.evidence.block_figures.count_blocks import CountBlock
    from rondo.monitor.evidence.reference import Reference

# The blocks of a request, if they have few columns, and the columns of all blocks. A request has a time limit, and the
# size of an answer has one, too.
_MOST_BLOCKS, _MOST_COLUMNS = 64, 2_000
# The figures of a block by column and name. The name is empty for the only figure of a column.
FiguresOfBlock: TypeAlias = "Mapping[tuple[str, str], float]"


class SampledBlock(NamedTuple):
    """A block, and the rows of each of its columns by bin."""

    block: CountBlock
    counts: Mapping[str, Any]


@dataclass(frozen=True)
class BlockFigures:
    """The figures of each block by detector, None where it has failed, and the reasons of the failures."""

    by_detector: Mapping[str, Sequence[FiguresOfBlock | None]] = field(default_factory=dict)
    failures: tuple[str, ...] = ()


def sampled_blocks(blocks: Sequence[CountBlock], reference: Reference) -> list[SampledBlock]:
    """Return the blocks with as many rows as each of them is to have."""
    return [SampledBlock(each, kept_rows(each, reference.binning.columns, reference.digest)) for each in blocks]


def in_requests(blocks: Sequence[SampledBlock], reference: Reference) -> Iterator[Sequence[SampledBlock]]:
    """Yield the blocks of each request."""
    size = max(1, min(_MOST_BLOCKS, _MOST_COLUMNS // max(1, len(reference.binning.columns))))
    for first in range(0, len(blocks), size):
        yield blocks[first : first + size]


def counts_of(block: SampledBlock) -> dict[str, list[int]]:
    """Return a block in the form in which the process of the detectors gets it."""
    return {name: counts.tolist() for name, counts in block.counts.items()}


def figures_of_block(answer: Sequence[Sequence[Any]] | None) -> FiguresOfBlock | None:
    """Return the figures of an answer about one block. Each has a column, a name and a value."""
    if answer is None:
        return None
    return {(column, name.partition(".")[2]): float(value) for column, name, value in answer}
