"""Specs: what is refused because nobody executes it, and what would break who serves."""

from __future__ import annotations

from typing import Any

import pytest
from rondo.contracts.spec.model import Feature, ModelSpec
from rondo.registry.model.spec_review import Review, comparable, review


def changed(spec: ModelSpec, **parts: Any) -> ModelSpec:
    return ModelSpec.model_validate(spec.as_dict() | parts)


@pytest.mark.parametrize(
    ("parts", "refusal"),
    [
        ({"rollout": {"strategy": "canary"}}, "`rollout.strategy`: canary is not executed yet: use `replace`"),
        ({"trainer": {"kind": "xgboost"}}, "`trainer.kind`: xgboost is not executed yet: use `lightgbm`"),
        (
            {"features": {"temp": {"type": "float", "from": "weather", "on": ["origin"]}}, "gates": {}},
            "`features.temp.from` asks for a point-in-time join, which is not executed yet: join the column into the",
        ),
        ({"retrain": {"on": ["cron: 99 3 * * 1"]}}, "`retrain.on`: '99 3 * * 1' is no cron expression that is ever"),
        ({"retrain": {"on": ["cron: 0 0 30 2 *"]}}, "`retrain.on`: '0 0 30 2 *' is no cron expression that is ever"),
    ],
)
def test_what_nobody_executes_is_refused(spec: ModelSpec, parts: dict[str, Any], refusal: str) -> None:
    found = review(changed(spec, **parts), None, None, {})
    assert len(found.refusals) == 1
    assert found.refusals[0].startswith(refusal)


def test_a_plain_spec_passes(spec: ModelSpec) -> None:
    assert review(spec, None, None, {}) == Review()
    assert review(spec, spec, 1, spec.features) == Review()


def test_another_label_is_another_question(spec: ModelSpec) -> None:
    other = changed(spec, data=spec.as_dict()["data"] | {"label": "cancelled"})
    assert review(other, spec, None, {}).refusals == ()
    (refusal,) = review(other, spec, 3, spec.features).refusals
    assert refusal == (
        "`data.label` changes from late to cancelled while version 3 serves: its predictions would change their "
        "meaning for whoever reads them; give the new question a model of its own"
    )


def test_other_features_are_allowed_and_spoken_of(spec: ModelSpec) -> None:
    features = spec.as_dict()["features"]
    more = changed(spec, features=features | {"origin": {"type": "category"}})
    found = review(more, spec, 3, spec.features)
    assert found.refusals == ()
    (warning,) = found.warnings
    assert warning == (
        "the features change (origin is new): version 3 goes on answering requests with its own features; "
        "requests must carry the new ones from the promotion of the next version on"
    )
    retyped = changed(spec, features=features | {"distance": {"type": "int"}})
    assert review(retyped, spec, 3, spec.features).warnings[1] == (
        "version 3 can't be scored on the new features: the next candidate is not compared with it"
    )


def test_a_champion_can_be_scored_where_all_its_features_are() -> None:
    number, text = Feature(type="float"), Feature(type="category")
    assert comparable({"a": number, "b": text}, {"a": number})
    assert not comparable({"b": text}, {"a": number})
    assert not comparable({"a": text}, {"a": number})
