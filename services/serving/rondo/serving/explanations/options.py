"""The parameters of a request for explanations."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from rondo.contracts.vocabularies import UnknownFields
from rondo.serving.errors import RequestRefusedError
from rondo.serving.requests.feature_errors import quoted
from rondo.serving.requests.suggestions import NameSuggester
from rondo.serving.requests.unknown_names import MAX_WARNINGS, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OWN = ("pairs", "output")
# The protocol has these for every request. They change nothing in an explanation, whose outputs are sent as JSON.
_OF_PROTOCOL = ("timeout", "binary_data_output")
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
    pairs, output = ((parameters or {}).get(name) for name in _OWN)
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


def unknown_parameters(parameters: Mapping[str, Any] | None, treatment: UnknownFields) -> tuple[UnknownName, ...]:
    """Return the first few ignored parameters. With `ignore`, only those with a name similar to a known one.

    Raises:
        RequestRefusedError: the spec refuses unknown names, and there is one.

    """
    found = list(islice(_unknown(parameters or {}), MAX_WARNINGS))
    if found and treatment == UnknownFields.REFUSE:
        raise found[0]
    every = treatment == UnknownFields.WARN
    return tuple(
        UnknownName(str(error.facts["parameter"]), str(error)) for error in found if every or "nearest" in error.facts
    )


def _unknown(parameters: Mapping[str, Any]) -> Iterator[RequestRefusedError]:
    suggester = NameSuggester(MAX_WARNINGS)
    for name in parameters:
        if name not in _OWN + _OF_PROTOCOL:
            nearest = suggester.nearest(name, _OWN)
            meant = f"did you mean `{nearest}`?" if nearest else f"it has {' and '.join(f'`{each}`' for each in _OWN)}."
            message = f"an explanation has no parameter {quoted(name)}: {meant} Correct the name, or leave it out"
            facts = {"parameter": name[:60]} | ({"nearest": nearest} if nearest else {})
            yield RequestRefusedError("unknown_parameter", message, **facts)
