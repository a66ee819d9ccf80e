"""A proposal is YAML that the spec's own validation accepts, for any content of a file."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.client.spec_proposal import files
from rondo.client.spec_proposal.errors import NoFeaturesError, UnusableColumnsError, UnusableRoleError
from rondo.client.spec_proposal.files import SourceFile
from rondo.client.spec_proposal.render import as_yaml
from rondo.client.spec_proposal.template import TEMPLATE
from rondo.contracts.spec.file import parse_spec
from rondo.contracts.tasks.registry import TASKS

from tests.client.spec_proposal.builders import columns, each, hours, proposed, typed


def test_the_template_is_a_spec_also_with_its_comments_taken_in() -> None:
    lines = TEMPLATE.splitlines()
    keys = ("positive:", "negative:", "label_delay:", "region:", "support_calls:", "trainer:", "gates:", "retrain:")
    lines = [line.replace("# ", "", 1) if line.strip("# ").startswith((*keys, "monitor:")) else line for line in lines]
    assert parse_spec(TEMPLATE).model == "my-model"
    assert parse_spec("\n".join(lines)).data.positive == "yes"


def test_a_proposal_is_the_spec_that_it_says() -> None:
    found = columns(gaps=each(lambda n: None if n == 3 else n), label=each(lambda n: ["true", "null"][n % 3 == 0]))
    proposal = proposed(typed(found))
    spec = parse_spec(as_yaml(proposal))
    assert (spec.model, spec.data.dataset, spec.task) == ("orders", "orders", "binary")
    assert (spec.data.entity, spec.data.event_time, spec.data.label) == ("order_id", "placed_at", "label")
    assert (spec.data.positive, spec.data.negative) == ("true", "null")
    assert {name: (f.type, f.optional, f.min) for name, f in spec.features.items()} == {
        "amount": ("float", False, 0), "gaps": ("int", True, 0),
    }  # fmt: skip
    assert spec.trainer.min_rows == 48


@pytest.mark.parametrize("task", list(TASKS))
def test_the_commented_gates_are_valid_for_the_task(task: str) -> None:
    labels = {"binary": "ab", "multiclass": "abc"}.get(task)
    found = columns(label=each(lambda n: labels[n % len(labels)] if labels else n / 7))
    text = as_yaml(proposed(typed(found)))
    spec = parse_spec(text.replace("# gates:", "gates:"))
    assert spec.task == task
    assert spec.gates.model_dump(exclude_defaults=True)


NAMES = st.one_of(
    st.sampled_from(["null", "on", "score", "id", "true", "x y", "größe"]), st.text(min_size=1, max_size=8)
)
CELLS = st.one_of(
    st.none(),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
    st.sampled_from(["1", "-3.5", "NaN", "true", "2024-01-01", "a\nb# c"]),
)


@pytest.mark.medium
@given(st.dictionaries(NAMES, st.lists(CELLS, min_size=24, max_size=24), max_size=4), st.lists(CELLS, min_size=2))
def test_any_file_gives_a_valid_spec_or_an_error_with_a_code(more: dict[str, Any], labels: list[str | None]) -> None:
    found = {"row_id": each(str, 24), "when": hours(24), "amount": each(lambda n: str(n % 5), 24)} | more
    found["label"] = [labels[n % len(labels)] for n in range(24)]
    file = SourceFile("a\nb.jsonl", files._json_table(found, 24), keeps_types=False)
    try:
        proposal = proposed(file, label="label", event_time="when")
    except (
        UnusableRoleError,
        UnusableColumnsError,
        NoFeaturesError,
    ):  # such as a label with one value, or all others are copies of it
        return
    spec = parse_spec(as_yaml(proposal))
    assert spec.features.keys() == {feature.name for feature in proposal.features}
