"""docs/spec.md is current, and its examples are valid specs."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from rondo.contracts.spec.dataset.section import DatasetSpec
from rondo.contracts.spec.file import parse_dataset, parse_spec
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.spec.parameters.checks import LIBRARIES
from rondo.contracts.spec.parameters.sklearn import DECIDED as STEPS_DECIDED
from rondo.contracts.spec.parameters.sklearn import NOT_HERE, USES
from rondo.contracts.tasks.registry import METRICS
from rondo.docgen.asyncapi import SPEC_PAGE
from rondo.docgen.spec_page import spec_page

PAGE = SPEC_PAGE.read_text()
DATASETS_PAGE = SPEC_PAGE.with_name("datasets.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SCHEMA = ModelSpec.model_json_schema(mode="serialization")
# One example is of one task. `cost` replaces `threshold`, `holdout` the other two.
OF_OTHER_TASKS = {*METRICS, "threshold", "interval", "holdout_rows", "holdout_span"}
OF_OTHER_KINDS = {"use", "function"}
NOT_SUPPORTED = {"from", "column", "on", "max_age", "steps"}


def test_the_committed_page_is_current() -> None:
    assert spec_page() == PAGE, "run `make docs` and commit docs/spec.md"


@pytest.mark.parametrize("example", EXAMPLES, ids=["least", "most", "steps"])
def test_an_example_is_a_spec(example: str) -> None:
    assert parse_spec(example).model == "churn"


def test_the_smallest_example_has_the_required_keys_alone() -> None:
    found = yaml.safe_load(EXAMPLES[0])
    assert [*found, *found["data"]] == [*SCHEMA["required"], *SCHEMA["$defs"]["Data"]["required"]]


def test_the_largest_example_leaves_out_only_what_is_not_supported() -> None:
    # What is read is compared with what is written: PyYAML takes the key `on` for a truth.
    found = keys(parse_spec(EXAMPLES[1]).model_dump(by_alias=True, exclude_unset=True))
    every = {key for part in (SCHEMA, *SCHEMA["$defs"].values()) for key in part["properties"]}
    assert every - found <= NOT_SUPPORTED | OF_OTHER_TASKS | OF_OTHER_KINDS


def keys(values: Any) -> set[str]:
    """Return all keys in all depths."""
    if not isinstance(values, dict):
        return set()
    return {*values, *(key for value in values.values() for key in keys(value))}


def test_every_key_has_a_row_with_its_meaning() -> None:
    empty = [
        key
        for part in (SCHEMA, *SCHEMA["$defs"].values())
        for key in part["properties"]
        if not re.search(rf"^\| `{key}` \| [^|]+ \| [^|]*\| [^|]+\. \|$", PAGE, re.MULTILINE)
    ]
    assert empty == []


def test_every_parameter_has_a_row() -> None:
    names = [name for library in LIBRARIES.values() for name in (*library.settable, *library.decided)]
    names += [*USES, *STEPS_DECIDED, *NOT_HERE]
    assert [name for name in names if f"\n| `{name}` | " not in PAGE] == []


def test_its_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", PAGE) if not (SPEC_PAGE.parent / link).exists()]
    assert links == []


def test_every_key_of_a_dataset_has_a_row_with_its_meaning() -> None:
    schema = DatasetSpec.model_json_schema(mode="serialization")
    part = PAGE[PAGE.index("## The dataset spec") :]
    keys = [*schema["properties"], *schema["$defs"]["DatasetColumn"]["properties"]]
    assert [key for key in keys if not re.search(rf"^\| `{key}` \| .+ \| .* \| .{{20,}} \|$", part, re.MULTILINE)] == []


def test_the_page_of_datasets_has_a_valid_spec() -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", DATASETS_PAGE, re.MULTILINE | re.DOTALL)
    spec = parse_dataset(example)
    assert f"rondo publish {spec.dataset} " in DATASETS_PAGE
