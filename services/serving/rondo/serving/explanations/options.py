"""The parameters of a request for explanations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rondo.serving.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PAIRS = 50
MARGIN = "margin"


@dataclass(frozen=True, slots=True)
class Options:
    """The number of pairs of permutations, None if the request names none, and whether it asks for the margin.

    The margin is the sum of the trees of a model, before a link turns it into probabilities.
    """

    pairs: int | None = None
    margin: bool = False


def options_of(parameters: Mapping[str, Any] | None) -> Options:
    """Return the options of a request.

    Raises:
        RequestRefusedError: a value has another type, or the request asks for samples of the margin.

    """
    pairs, output = ((parameters or {}).get(name) for name in ("pairs", "output"))
    if pairs is not None and type(pairs) is not int:
        message = f"`parameters.pairs` is {str(pairs)[:40]!r}: send a whole number, such as {DEFAULT_PAIRS}"
        raise RequestRefusedError("bad_request", message)
    if output not in (None, MARGIN):
        message = (
            f"`parameters.output` is {str(output)[:40]!r}: send {MARGIN!r} to explain the margin of a model of trees,"
            " or leave it out to explain the answer"
        )
        raise RequestRefusedError("bad_request", message)
    if output and pairs is not None:
        message = (
            "`parameters.pairs` asks for samples, and a margin is only explained exactly: leave out"
            " `parameters.pairs`, or `parameters.output`"
        )
        raise RequestRefusedError("bad_request", message)
    return Options(pairs, margin=output is not None)
