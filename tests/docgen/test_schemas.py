"""Every event is compatible with each of its snapshots, and every example is valid."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar

import jsonschema
import pytest
from pydantic import Field
from rondo.contracts.events.base import Event, ModelEvent
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.training_evidence import Evidence
from rondo.docgen.schemas import (
    DIGESTS,
    EXAMPLES,
    PUBLISHED,
    SNAPSHOTS,
    IncompatibleSchemaError,
    Published,
    digest_line,
    is_current,
    problems_with_older,
    schema_of,
    snapshot_of,
    snapshots,
    write_snapshots,
)

from tests.conventions.append_only import lost_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

every_event = pytest.mark.parametrize("event", PUBLISHED, ids=lambda event: event.__name__)
every_example = pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def event_of(path: Path) -> Published:
    return next(event for event in PUBLISHED if path.stem == f"{event.__name__}.v{event.version}")


@pytest.mark.medium
@every_event
def test_an_event_is_compatible_with_every_older_schema(event: type[Event]) -> None:
    problems = problems_with_older(event)
    assert not problems, str(IncompatibleSchemaError(event, problems))


@pytest.mark.medium
@every_event
def test_the_newest_snapshot_is_todays_schema(event: type[Event]) -> None:
    assert is_current(event), (
        f"{event.__name__} changed and has no snapshot of the change: run `make schemas` "
        "(python -m rondo.docgen.schemas) and commit the snapshot"
    )


@every_event
def test_snapshots_are_numbered_from_one_without_a_gap(event: type[Event]) -> None:
    numbers = [int(path.stem) for path in snapshots(event)]
    assert numbers == list(range(1, len(numbers) + 1)), "a snapshot was deleted: git has it"


def test_no_snapshot_is_of_an_event_that_is_gone() -> None:
    folders = {folder.relative_to(SNAPSHOTS).as_posix() for folder in SNAPSHOTS.glob("*/v*")}
    assert folders == {f"{event.__name__}/v{event.version}" for event in PUBLISHED}


@every_event
def test_every_event_has_an_example(event: type[Event]) -> None:
    name = f"{event.__name__}.v{event.version}.json"
    assert (EXAMPLES / name).exists(), f"write a realistic contracts/examples/{name}"


@pytest.mark.medium
@every_event
def test_a_schema_is_one(event: type[Event]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(event))


@pytest.mark.medium
@every_example
def test_an_example_fits_every_schema_of_its_event(path: Path) -> None:
    event, example = event_of(path), json.loads(path.read_text())
    validator(schema_of(event)).validate(example)
    for snapshot in snapshots(event):
        validator(json.loads(snapshot.read_text())).validate(example)


@every_example
def test_an_example_reads_as_its_class_and_writes_as_it_was(path: Path) -> None:
    event = event_of(path).model_validate_json(path.read_text())
    assert json.loads(event.model_dump_json(by_alias=True)) == json.loads(path.read_text())


@pytest.mark.medium
@every_event
def test_a_reader_ignores_fields_that_a_newer_writer_adds_at_every_depth(event: type[Event]) -> None:
    closed = [part for part in _parts(schema_of(event)) if part.get("additionalProperties") is False]
    assert closed == [], "a part that forbids unknown fields makes every older reader refuse the event"


def test_a_spec_in_an_event_may_come_from_a_newer_registry() -> None:
    """An unknown key is a typo in a file, and a key of a newer release in an event."""
    example = json.loads((EXAMPLES / "SpecApplied.v1.json").read_text())
    newer = {**example, "spec": {**example["spec"], "explain": {"by": "shap"}}}
    assert SpecApplied.model_validate(newer) == SpecApplied.model_validate(example)


@pytest.mark.medium
@every_event
def test_the_comparison_handles_every_keyword_in_use(event: type[Event]) -> None:
    """A keyword that holds schemas and is not followed would hide a change behind its `$ref`."""
    assert {keyword for part in _parts(schema_of(event)) for keyword in part} <= {
        *(
            "$schema",
            "$defs",
            "$ref",
            "title",
            "description",
            "type",
            "enum",
            "const",
            "examples",
            "default",
            "format",
            "pattern",
        ),
        *("properties", "required", "additionalProperties", "patternProperties", "propertyNames", "items", "anyOf"),
        *("oneOf", "discriminator", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minLength", "maxLength", "minItems", "maxItems", "minProperties"),
    }


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(schema, dict):
        return
    yield schema
    for keyword in ("properties", "$defs", "patternProperties"):
        for part in schema.get(keyword, {}).values():
            yield from _parts(part)
    for keyword in ("anyOf", "oneOf"):
        for part in schema.get(keyword, []):
            yield from _parts(part)
    for keyword in ("items", "additionalProperties", "propertyNames"):
        yield from _parts(schema.get(keyword))


def test_the_examples_belong_together() -> None:
    examples = {path.stem.split(".")[0]: json.loads(path.read_text()) for path in EXAMPLES.glob("*.json")}
    promoted = examples["ModelPromoted"]
    assert (
        examples["DriftDetected"]["finding_id"]
        == promoted["trigger"]["id"]
        == examples["TrainingStarted"]["trigger"]["id"]
    )
    assert examples["ModelTrained"]["digest"] == examples["ModelRegistered"]["digest"] == promoted["digest"]
    assert (
        examples["DeploymentChanged"]["routes"][0]["digest"]
        == examples["ReplicaChanged"]["digest"]
        == promoted["digest"]
    )
    evidence = Evidence.model_validate(examples["Evidence"])
    assert examples["ModelTrained"]["evidence"] == f"sha256:{hashlib.sha256(evidence.encode()).hexdigest()}"
    assert evidence.summary().model_dump(mode="json") == examples["ModelTrained"]["summary"]
    assert examples["SpecApplied"]["digest"] == examples["ModelTrained"]["summary"]["spec_digest"]
    assert (
        examples["PredictionRequested"]["id"] == examples["PredictionMade"]["id"] == examples["OutcomeObserved"]["id"]
    )


class LampLit(ModelEvent):
    """A lamp was lit."""

    topic: ClassVar[str] = "lamps.lit"
    watts: int


class Better(LampLit):
    """The same with a new field."""

    colour: str = ""


class Worse(LampLit):
    """The same with a narrower field."""

    watts: int = Field(ge=1)


Better.__name__ = Worse.__name__ = "LampLit"


def test_a_compatible_change_adds_a_snapshot_beside_the_first(tmp_path: Path) -> None:
    assert [p.name for p in write_snapshots((LampLit,), tmp_path)] == ["1.json"]
    assert [p.name for p in write_snapshots((LampLit,), tmp_path)] == []
    assert [p.name for p in write_snapshots((Better,), tmp_path)] == ["2.json"]
    assert [p.name for p in snapshots(Better, tmp_path)] == ["1.json", "2.json"]
    assert problems_with_older(Better, tmp_path) == []


def test_a_breaking_change_is_refused_with_the_next_step(tmp_path: Path) -> None:
    list(write_snapshots((LampLit,), tmp_path))
    with pytest.raises(IncompatibleSchemaError) as caught:
        list(write_snapshots((Worse,), tmp_path))
    assert str(caught.value) == (
        "LampLit v1 breaks with what was published:\n"
        "  v1/1.json: minimum of `watts` changed from nothing to 1\n"
        "Either undo that (only new fields with a default are free), or leave LampLit as it was and make a class with "
        "`version = 2` beside it; an event gets a topic of its own, `….v2`."
    )
    assert [p.name for p in snapshots(Worse, tmp_path)] == ["1.json"]


def test_every_older_snapshot_counts_not_only_the_last(tmp_path: Path) -> None:
    list(write_snapshots((LampLit,), tmp_path))
    list(write_snapshots((Better,), tmp_path))
    assert [problem.split(":")[0] for problem in problems_with_older(LampLit, tmp_path)] == ["v1/2.json"]
    assert {problem.split(":")[0] for problem in problems_with_older(Worse, tmp_path)} == {"v1/1.json", "v1/2.json"}


def test_a_snapshot_keeps_fields_that_are_called_title_or_description() -> None:
    class Titled(LampLit):
        title: str
        description: str

    assert {"title", "description"} <= snapshot_of(Titled)["properties"].keys()
    assert "title" not in snapshot_of(Titled)


def test_every_snapshot_is_what_the_list_of_digests_says() -> None:
    """A snapshot is what messages in a topic were written by: it is never edited, and never deleted."""
    listed = (SNAPSHOTS / DIGESTS).read_text(encoding="utf-8").splitlines()
    found = {digest_line(path) for path in SNAPSHOTS.glob("*/v*/*.json")}
    assert set(listed) == found, "restore a snapshot that was edited, and run `make schemas`"
    assert len(listed) == len(found)


def test_no_line_of_the_digests_has_changed_since_the_list_was_started() -> None:
    assert lost_lines(SNAPSHOTS / DIGESTS) == set()


def test_a_new_snapshot_adds_its_digest_to_the_list(tmp_path: Path) -> None:
    for event in (LampLit, Better):
        list(write_snapshots((event,), tmp_path))
    first, second = (tmp_path / DIGESTS).read_text().splitlines()
    assert (first, second) == tuple(digest_line(path, tmp_path) for path in snapshots(Better, tmp_path))
