"""Words that classify are open: every event can hold an unknown one."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from rondo.contracts import vocabularies
from rondo.contracts.events.training import Trigger
from rondo.contracts.spec.file import SpecError, parse_spec
from rondo.contracts.spec.preparation import vocabularies as of_prepare
from rondo.contracts.topics import EVENTS
from rondo.contracts.training_evidence import Evidence, UnknownProfile
from rondo.docgen.schemas import PUBLISHED, schema_of, snapshots

from tests.support.unknown_words import WORD, example_of, with_unknown_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rondo.docgen.schemas import Published

VOCABULARIES = [
    v
    for module in (vocabularies, of_prepare)
    for v in vars(module).values()
    if isinstance(v, type) and issubclass(v, StrEnum) and v is not StrEnum
]
# `kind: dataset` names the class of a spec, so another kind is another class.
CLOSED = {("NaN", "Infinity", "-Infinity"), ("dataset",)}
# A profile of another kind is an `UnknownProfile`. A snapshot has no examples, so it does not show that.
TAGS = {("numeric",), ("categorical",)}
SPEC = """\
model: churn
data: {dataset: customers, entity: customer_id, event_time: asked_at, label: left}
features: {months: {type: int}}
"""


def schemas_in(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from schemas_in(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from schemas_in(part)


def closed_words(parts: Iterable[dict[str, Any]]) -> set[tuple[Any, ...]]:
    """Return the words of each enum, and each constant text."""
    every = list(parts)
    enums = {tuple(part["enum"]) for part in every if isinstance(part.get("enum"), list)}
    return enums | {(part["const"],) for part in every if isinstance(part.get("const"), str)}


def words_in(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(words_in, value.values()))
    return sum(map(words_in, value)) if isinstance(value, list) else int(value == WORD)


@pytest.mark.medium
@pytest.mark.parametrize("published", PUBLISHED, ids=lambda each: each.__name__)
def test_what_is_published_has_no_closed_vocabulary(published: Published) -> None:
    """If readers accept other words, a schema has examples instead of fixed words, as the next test shows."""
    assert closed_words(part for part in schemas_in(schema_of(published)) if "examples" not in part) <= CLOSED


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda each: each.__name__)
def test_the_newest_snapshot_has_no_closed_vocabulary(published: Published) -> None:
    newest = json.loads(snapshots(published)[-1].read_text(encoding="utf-8"))
    assert closed_words(schemas_in(newest)) <= CLOSED | TAGS


@pytest.mark.medium
@pytest.mark.parametrize("event", PUBLISHED, ids=lambda each: each.__name__)
def test_an_unknown_word_is_kept_as_it_is(event: Published) -> None:
    classifies = any("examples" in part for part in schemas_in(schema_of(event)))
    read = with_unknown_words(event)
    assert (words_in(read.model_dump(mode="json", by_alias=True)) > 0) == classifies
    assert event.model_validate_json(read.model_dump_json(by_alias=True)) == read


def test_a_profile_of_an_unknown_kind_is_kept_with_all_its_fields() -> None:
    read, sent = with_unknown_words(Evidence).profile, example_of(Evidence)["profile"]
    assert {type(profile) for profile in (*read.features.values(), *read.outputs.values())} == {UnknownProfile}
    assert {name: profile.model_dump() for name, profile in read.features.items()} == {
        name: profile | {"kind": WORD} for name, profile in sent["features"].items()
    }


def test_every_vocabulary_documents_what_an_unknown_word_means() -> None:
    assert len(VOCABULARIES) > 9
    assert [v.__name__ for v in VOCABULARIES if "\nUnknown" not in (v.__doc__ or "").replace("    ", "")] == []


def test_a_word_is_a_text_without_nul() -> None:
    trigger = example_of(next(e for e in EVENTS if e.__name__ == "TrainingRequested"))["trigger"]
    with pytest.raises(ValidationError):
        Trigger.model_validate(trigger | {"kind": "a\x00"})


@pytest.mark.parametrize(
    ("addition", "place"),
    [
        ("task: ranking", "task"),
        ("trainer: {kind: catboost}", "trainer.kind"),
        ("rollout: {strategy: gradual}", "rollout.strategy"),
        ("rollout: {strategy: canary, inconclusive: shrug}", "rollout.inconclusive"),
        ("rollout: {strategy: canary, judged_by: taste}", "rollout.judged_by"),
        ("rollout: {strategy: canary, evidence: none}", "rollout.evidence"),
        ("retrain: {on: [forecast]}", "retrain.on.0"),
        ("serving: {log: sometimes}", "serving.log"),
        ("serving: {unknown_fields: shrug}", "serving.unknown_fields"),
        ("serving: {deduplicate: 8d}", "serving.deduplicate"),
    ],
)
def test_a_spec_file_asks_for_nothing_that_this_release_does_not_support(addition: str, place: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(SPEC + addition)
    (problem,) = caught.value.problems
    assert (problem.split(":")[0], place in problem, "use" in problem) == ("line 4", True, True)
