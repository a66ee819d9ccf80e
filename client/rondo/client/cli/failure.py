"""What a failed command says: a message for people on stderr, and with `--json` an object on stdout, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.client.cli.output import print_json
from rondo.contracts.spec.file import SpecError

if TYPE_CHECKING:
    from rondo.client.errors import RondoError

_USAGE = "usage"


def print_usage(message: str) -> None:
    """Print what is wrong with the words of a command."""
    print_json({"error": _USAGE, "message": message})


def print_failure(error: RondoError | SpecError) -> None:
    """Print an error as `{"error": its short name, "message", "reasons": a line for each fault, where there are}`."""
    print_json(as_object(error))


def as_object(error: RondoError | SpecError) -> dict[str, Any]:
    """Return an error as JSON values."""
    code = "invalid_spec" if isinstance(error, SpecError) else error.code
    told: dict[str, Any] = {"error": code, "message": str(error)}
    return told | {"reasons": list(error.problems)} if error.problems else told
