"""The JSON Schemas of the events and of the evidence, and the snapshots with which they must be compatible.

Snapshots are `contracts/schemas/<Event>/v<version>/<n>.json`. Snapshot 1 is the first schema of the class, and each
compatible change adds the next number. No snapshot is edited or deleted, and `digests.txt` there has the digest of
each. `python -m rondo.docgen.schemas` writes missing snapshots. A snapshot omits titles, descriptions and examples,
which may change without a new snapshot.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from rondo.contracts.topics import EVENTS
from rondo.contracts.training_evidence import Evidence
from rondo.docgen.compatibility import Schema, breaking_changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

    from rondo.contracts.events.base import Event

# The schemas of data that services of different releases exchange: events, and the evidence in the artifact store.
Published = type["Event"] | type[Evidence]
PUBLISHED: tuple[Published, ...] = (*EVENTS, Evidence)
# The folders are next to the package in the repository. A wheel has neither snapshots nor examples.
SNAPSHOTS = Path(__file__).parents[4] / "contracts" / "schemas"
# The file has a line for each snapshot, in the form of sha256sum. Lines are added and never changed.
DIGESTS = "digests.txt"
EXAMPLES = Path(__file__).parents[4] / "contracts" / "examples"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Places of closed words in older snapshots that are open words now, by event. Readers of the releases before refuse
# other words than those of their enum, and this release writes no others. A release that adds a word there documents
# that the services of those releases are upgraded first.
OPENED: Mapping[str, frozenset[str]] = {
    "SpecApplied": frozenset({"spec.features.*.type"}),
    "DatasetApplied": frozenset({"spec.columns.*.type"}),
    "DeploymentChanged": frozenset({"routes.[].features.*.type"}),
    "ScoringRequested": frozenset({"features.*.type"}),
}
_NOT_FINITE = {"enum": ["NaN", "Infinity", "-Infinity"], "type": "string"}
_BOUNDS = ("gt", "ge", "lt", "le", "multiple_of")


class IncompatibleSchemaError(ValueError):
    """An event's class is not compatible with an older schema of the same version."""

    def __init__(self, event: Published, problems: list[str]) -> None:
        self.event, self.problems = event, problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(
            f"{event.__name__} v{event.version} breaks with what was published:\n{lines}\n"
            f"Either undo that (only new fields with a default are free), or leave {event.__name__} as it was and make "
            f"a class with `version = {event.version + 1}` beside it; an event gets a topic of its own, "
            f"`….v{event.version + 1}`."
        )


class WireSchema(GenerateJsonSchema):
    """JSON Schema of the wire format, in which a float that is not finite is a string."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        """Allow the three strings, unless a bound or the class requires a finite float."""
        number = super().float_schema(schema)
        finite = schema.get("allow_inf_nan") is False or any(bound in schema for bound in _BOUNDS)
        if finite or self._config.ser_json_inf_nan != "strings":
            return number
        return {"anyOf": [number, _NOT_FINITE]}


def schema_of(event: Published) -> Schema:
    """Return the current JSON Schema (2020-12) of an event's value, with titles and descriptions."""
    schema = event.model_json_schema(mode="serialization", schema_generator=WireSchema)
    return {"$schema": DIALECT, **schema, "title": f"rondo.{event.__name__}.v{event.version}"}


def snapshot_of(event: Published) -> Schema:
    """Return the current schema without titles, descriptions and examples."""
    bare: Schema = _without_words(schema_of(event))
    return bare


def _without_words(node: Any, *, names: bool = False) -> Any:
    """Return the node without titles, descriptions and examples.

    With `names`, keys are names of fields and are kept.
    """
    if isinstance(node, list):
        return [_without_words(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_words(value, names=not names and key in {"properties", "$defs"})
        for key, value in node.items()
        if names or key not in {"title", "description", "examples"}
    }


def snapshots(event: Published, folder: Path = SNAPSHOTS) -> list[Path]:
    """Return the paths of an event's snapshots, the oldest first."""
    found = (folder / event.__name__ / f"v{event.version}").glob("*.json")
    return sorted(found, key=lambda path: int(path.stem))


def problems_with_older(event: Published, folder: Path = SNAPSHOTS) -> list[str]:
    """Compare the current schema with every older one. Each problem names the snapshot."""
    today, opened = snapshot_of(event), OPENED.get(event.__name__, frozenset())
    return [
        f"{path.parent.name}/{path.name}: {problem}"
        for path in snapshots(event, folder)
        for problem in breaking_changes(json.loads(path.read_text(encoding="utf-8")), today, opened)
    ]


def is_current(event: Published, folder: Path = SNAPSHOTS) -> bool:
    """Return whether the newest snapshot is the current schema."""
    paths = snapshots(event, folder)
    return bool(paths) and json.loads(paths[-1].read_text(encoding="utf-8")) == snapshot_of(event)


def digest_line(snapshot: Path, folder: Path = SNAPSHOTS) -> str:
    """Return the line of a snapshot in the list of digests."""
    return f"{hashlib.sha256(snapshot.read_bytes()).hexdigest()}  {snapshot.relative_to(folder).as_posix()}"


def list_digests(folder: Path = SNAPSHOTS) -> None:
    """Add the digests of snapshots that are not in the list. Existing lines stay as they are."""
    digests = folder / DIGESTS
    lines = digests.read_text(encoding="utf-8").splitlines() if digests.exists() else []
    named = {line.partition("  ")[2] for line in lines}
    new = [path for path in sorted(folder.glob("*/v*/*.json")) if path.relative_to(folder).as_posix() not in named]
    added = [*lines, *(digest_line(path, folder) for path in new)]
    digests.write_text("".join(f"{line}\n" for line in added), encoding="utf-8")


def write_snapshots(events: tuple[Published, ...] = PUBLISHED, folder: Path = SNAPSHOTS) -> Iterator[Path]:
    """Write the next snapshot of each event that changed, and yield its path.

    Raises:
        IncompatibleSchemaError: the change is breaking, and nothing was written for that event.

    """
    for event in events:
        if is_current(event, folder):
            continue
        if problems := problems_with_older(event, folder):
            raise IncompatibleSchemaError(event, problems)
        number = len(snapshots(event, folder)) + 1
        path = folder / event.__name__ / f"v{event.version}" / f"{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(snapshot_of(event), indent=2) + "\n", encoding="utf-8")
        list_digests(folder)
        yield path


def main() -> int:
    """Write the missing snapshots, and print their paths."""
    try:
        written = list(write_snapshots())
        list_digests()
    except IncompatibleSchemaError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path in written:
        sys.stdout.write(f"wrote {path.relative_to(SNAPSHOTS.parents[1])}\n")
    if not written:
        sys.stdout.write("every snapshot is current\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
