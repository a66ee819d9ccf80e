"""Specs: refused if not supported, or if they would break the champion."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rondo.contracts.spec.model import Feature, ModelSpec
from rondo.registry.registration.spec_review import Review, comparable, review_spec


def changed(spec: ModelSpec, **parts: Any) -> ModelSpec:
    return ModelSpec.model_validate(spec.as_dict() | parts)


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"task": "from-the-future"}, "task"),
        ({"rollout": {"strategy": "gradual"}}, "rollout.strategy"),
        ({"rollout": {"strategy": "from-the-future"}}, "rollout.strategy"),
        ({"trainer": {"kind": "from-the-future"}}, "trainer.kind"),
        ({"features": {"t": {"type": "float", "from": "weather", "on": ["origin"]}}, "gates": {}}, "features.t.from"),
        ({"retrain": {"on": ["cron: 99 3 * * 1"]}}, "retrain.on.0"),
        ({"retrain": {"on": ["cron: 0 0 30 2 *"]}}, "retrain.on.0"),
        ({"retrain": {"on": ["from-the-future"]}}, "retrain.on.0"),
    ],
)  # fmt: skip
def test_unsupported_options_are_refused(spec: ModelSpec, parts: dict[str, Any], place: str) -> None:
    (refusal,) = review_spec(changed(spec, **parts), None, None, {}).refusals
    assert refusal.startswith(f"`{place}`")


def test_a_plain_spec_passes(spec: ModelSpec) -> None:
    assert review_spec(spec, None, None, {}) == Review()
    assert review_spec(spec, spec, 1, spec.features) == Review()


def test_a_label_change_is_refused_while_a_version_serves(spec: ModelSpec) -> None:
    other = changed(spec, data=spec.as_dict()["data"] | {"label": "cancelled"})
    assert review_spec(other, spec, None, {}).refusals == ()
    (refusal,) = review_spec(other, spec, 3, spec.features).refusals
    assert re.search("`data.label` .* late .* cancelled .* version 3 ", refusal)


def test_a_task_change_is_refused_while_a_version_serves(spec: ModelSpec) -> None:
    other = changed(spec, task="regression", gates={})
    assert review_spec(other, spec, None, {}).refusals == ()
    (refusal,) = review_spec(other, spec, 3, spec.features).refusals
    assert re.search("`task` .* binary .* regression .* version 3 ", refusal)


def test_a_change_of_joined_features_is_none_of_requests(spec: ModelSpec) -> None:
    joined = Feature.model_validate({"type": "float", "from": "weather"})
    sent = Feature(type="float")

    def warnings(after: Feature | None, before: Feature | None) -> tuple[str, ...]:
        features = {**spec.features, **({} if after is None else {"temp": after})}
        serving = {**spec.features, **({} if before is None else {"temp": before})}
        return review_spec(spec.model_copy(update={"features": features}), spec, 3, serving).warnings

    assert warnings(joined, None) == warnings(joined, joined) == ()
    assert ["the features change" in warning for warning in warnings(None, joined)] == [False]
    assert ["temp was sent" in warning for warning in warnings(joined, sent)] == [True]
    assert ["temp was joined" in warning for warning in warnings(sent, joined)] == [True]


def test_other_features_are_allowed_with_a_warning(spec: ModelSpec) -> None:
    features = spec.as_dict()["features"]
    more = changed(spec, features=features | {"origin": {"type": "category"}})
    found = review_spec(more, spec, 3, spec.features)
    assert found.refusals == ()
    (warning,) = found.warnings
    assert re.search(r"\(origin is new\).* version 3 ", warning)
    retyped = changed(spec, features=features | {"distance": {"type": "int"}})
    of_features, of_champion = review_spec(retyped, spec, 3, spec.features).warnings
    assert "distance" in of_features
    assert "version 3 " in of_champion


def test_a_champion_can_be_scored_where_all_its_features_are() -> None:
    number, text = Feature(type="float"), Feature(type="category")
    assert comparable({"a": number, "b": text}, {"a": number})
    assert not comparable({"b": text}, {"a": number})
    assert not comparable({"a": text}, {"a": number})
