"""Versions with different features serve together. A request fits all of them, and each scores its own features."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.events import logs
from rondo.contracts.spec.model import Feature
from rondo.contracts.vocabularies import RouteRole
from rondo.serving.inference.service import infer
from rondo.serving.models.common_requests import with_common_requests
from rondo.serving.models.loaded_version import Compared, ServedModel
from rondo.serving.models.serving_table import ServingTable

from tests.serving.builders import FEATURES, NOW, build_model, infer_values, version_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.serving.models.loaded_version import LoadedVersion

# Version 2 has a further number in front, by which it scores, and lacks `seats`.
WIND = {"wind": Feature(type="float")}
OF_2 = WIND | {name: feature for name, feature in FEATURES.items() if name != "seats"}


def loaded(number: int, features: Mapping[str, Feature], factor: float = 1.0) -> LoadedVersion:
    return version_of("delay", number, build_model(factor, features), features)


def together(share: float = 0.5, *versions: LoadedVersion) -> ServedModel:
    chosen = versions or (loaded(2, OF_2, 10.0).in_role(RouteRole.CANARY, share), loaded(1, FEATURES))
    (other, primary), common = with_common_requests(chosen)
    both = Compared(primary, other, other.in_role(RouteRole.SHADOW), all_rows=True)
    return ServedModel("delay", 1, (other, primary), (share, 1 - share), compared=both, common=common)


def sent(row: int, **features: Any) -> bytes:
    known = {"distance": row, "night": False, "wind": row + 0.5, "seats": 3, "carrier": "AA"} | features
    kept = {name: value for name, value in known.items() if value is not None}
    return json.dumps({"id": f"r{row}", "model": "delay", "features": kept}).encode()


def test_each_version_scores_its_own_features_and_logs_them() -> None:
    served = together()
    ((_, _, rows),) = ServingTable({"delay": served}).parser.parse([sent(row) for row in range(100)]).groups
    inference = infer(served, rows, lambda: NOW)
    assert {part.version.model_version for part in inference.scored} == {1, 2}
    for part in inference.scored:
        of_2 = part.version.model_version == 2
        assert part.outputs["score"].tolist() == [10 * (row + 0.5) if of_2 else row for row in part.numbers]
    features = {1: list(FEATURES), 2: list(OF_2)}
    for part in (*inference.scored, *inference.silent):
        for record in part.version.log.encode(part.log()):
            batch = logs.decode(record)
            columns = [name.removeprefix("feature.") for name in batch.schema.names if name.startswith("feature.")]
            assert columns == features[part.version.model_version]
            assert batch.column("feature.distance").to_pylist() == part.numbers


def test_a_request_that_one_version_lacks_a_feature_of_names_that_version() -> None:
    found = infer_values([sent(0), sent(1, wind=None), sent(2, seats=None)], together())
    assert found.codes() == {1: "missing_feature"}
    assert "`wind` is missing, which version 2 needs in its rollout" in str(found.refused[1])
    assert str(found.refused[1]).startswith("the feature `wind` is missing")
    assert set(found.ids) == {0, 2}


def test_a_request_has_to_be_within_the_limits_of_both() -> None:
    near = {**FEATURES, "distance": Feature(type="int", min=0, max=100)}
    served = together(0.5, loaded(2, near).in_role(RouteRole.CANARY, 0.5), loaded(1, FEATURES))
    values = [sent(0, wind=None), sent(1, wind=None, distance=101), sent(2, wind=None, distance=1.5)]
    assert infer_values(values, served).codes() == {1: "out_of_range", 2: "wrong_type"}


@pytest.mark.medium
@pytest.mark.parametrize("rows", [1, 7])
def test_versions_with_the_same_features_in_another_order_share_requests(rows: int) -> None:
    turned = dict(reversed(FEATURES.items()))
    served = together(0.5, loaded(2, turned).in_role(RouteRole.CANARY, 0.5), loaded(1, FEATURES))
    found = infer_values([sent(row, wind=None) for row in range(rows)], served)
    assert len(found.scores) == rows
