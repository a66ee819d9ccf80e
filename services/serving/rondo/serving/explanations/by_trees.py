"""Explanations of versions whose answer, or whose margin, is a sum of trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rondo.chassis.errors import UnavailableError
from rondo.serving.errors import RequestRefusedError
from rondo.serving.explanations.trees.errors import UNAVAILABLE, NotTreesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rondo.serving.explanations.options import Options
    from rondo.serving.explanations.shapley import Shapley
    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.requests.rows import Column

# The limit of pairs of a leaf and a mask in one request. Each takes 50 to 100 ns of a core.
MOST_WORK = 20_000_000


class Trees(Protocol):
    """The trees of a version.

    `is_sum` is true if the sum of the trees is the answer, and false if it is only the margin. `work` is the number of
    pairs of a leaf and a mask of the background, to which the time for a row is proportional.
    """

    @property
    def is_sum(self) -> bool: ...

    @property
    def work(self) -> int: ...

    def explain(self, columns: Mapping[str, Column], answers: NDArray[np.float32], /) -> list[Shapley]:
        """Return the exact values of the sum of the trees for N rows. `answers` has the answers, shape [N, outputs].

        Raises:
            NotTreesError: the answers are not those of the trees.

        """
        ...


class TreeFinder(Protocol):
    async def find(self, version: LoadedVersion, background: Mapping[str, Column], /) -> Trees:
        """Return the trees of a version.

        Raises:
            NotTreesError: it is not a model of trees, or its artifact can't be read.

        """
        ...


async def find_trees(
    finder: TreeFinder | None, versions: Iterable[LoadedVersion], rows: int, options: Options
) -> dict[LoadedVersion, Trees]:
    """Return the trees by which each version is explained. Empty if another method explains the answers.

    All versions have the same method, because a response names only one.

    Raises:
        RequestRefusedError: the request asks for the margin, and a version has none, or is too large.
        UnavailableError: the request asks for the margin, and the artifact store is unavailable.

    """
    found: dict[LoadedVersion, Trees] = {}
    if options.pairs is not None:
        return found
    for version in versions:
        try:
            if finder is None:
                raise NotTreesError("no_reader", "this replica reads no trees")
            found[version] = await finder.find(version, background_of(version))
        except NotTreesError as error:
            if options.margin and error.code == UNAVAILABLE:
                what = f"the artifact of version {version.model_version} of {version.model}"
                raise UnavailableError(what, "the artifact store does not answer") from error
            if options.margin:
                raise without_margin(version, error) from None
            return {}
    work = rows * max(trees.work for trees in found.values())
    if work <= MOST_WORK and (options.margin or all(trees.is_sum for trees in found.values())):
        return found
    if options.margin:
        message = (
            f"the margins of {rows:,} rows need {work:,} pairs of leaves and background rows, and {MOST_WORK:,} are"
            " allowed: send fewer rows, or leave out `parameters.output`"
        )
        raise RequestRefusedError("too_large", message)
    return {}


def explain_by(trees: Trees, columns: Mapping[str, Column], answers: NDArray[np.float32]) -> list[Shapley]:
    """Return `trees.explain`.

    Raises:
        NotTreesError: the answers are not those of the trees, or it failed.

    """
    try:
        return trees.explain(columns, answers)
    except NotTreesError:
        raise
    except Exception as error:  # the boundary: a graph from elsewhere may have any fault
        raise NotTreesError("unreadable", "its trees fail on a row, see the log of this replica") from error


def without_margin(version: LoadedVersion, error: NotTreesError) -> RequestRefusedError:
    """Return the refusal of a request for the margin of a version."""
    message = (
        f"version {version.model_version} of {version.model} has no margin to explain: {error.reason}. Leave out"
        " `parameters.output` to explain its answer"
    )
    return RequestRefusedError("unexplainable", message, version.model)


def background_of(version: LoadedVersion) -> Mapping[str, Column]:
    """Return the background values of a version.

    Raises:
        RequestRefusedError: its artifact has none.

    """
    if (background := version.scorer.background) is None:
        message = (
            f"version {version.model_version} of {version.model} was trained before explanations: its artifact has"
            f" no background values. Train again (`rondo train {version.model}`)"
        )
        raise RequestRefusedError("unexplainable", message, version.model)
    return background
