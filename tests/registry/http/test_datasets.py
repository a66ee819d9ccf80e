"""Dataset specs over HTTP: applied, shown, removed, audited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.contracts.access_tokens import Role

from tests.support.access import bearer

if TYPE_CHECKING:
    import httpx

FLIGHTS = """\
kind: dataset
dataset: flights
entity: [id]
event_time: at
columns:
  carrier: {type: category}
  distance: {type: float}
  late: {type: bool}
"""


async def test_a_dataset_is_applied_once_and_shown_with_its_models(client: httpx.AsyncClient, spec_text: str) -> None:
    first = (await client.put("/v1/specs", content=FLIGHTS, headers=bearer(Role.ENGINEER))).json()
    second = (await client.put("/v1/specs", content=FLIGHTS)).json()
    assert (first["dataset"], first["revision"], first["changed"]) == ("flights", 1, True)
    assert (second["revision"], second["changed"]) == (1, False)
    await client.put("/v1/specs", content=spec_text)
    (listed,) = (await client.get("/v1/datasets", headers=bearer(Role.PUBLISHER))).json()["datasets"]
    one = (await client.get("/v1/datasets/flights", headers=bearer(Role.PUBLISHER))).json()
    assert one == listed
    assert (one["digest"], one["models"], one["spec"]["entity"]) == (first["digest"], ["late"], ["id"])
    audit = (await client.get("/v1/datasets/flights/audit")).json()
    assert (audit["verified"], [entry["decided_by"] for entry in audit["entries"]]) == (True, ["engineer"])


async def test_changes_are_answered(client: httpx.AsyncClient) -> None:
    await client.put("/v1/specs", content=FLIGHTS)
    answer = (await client.put("/v1/specs", content=FLIGHTS + "  gate: {type: category}\n")).json()
    assert [(each["column"], each["change"], each["is_stricter"]) for each in answer["changes"]] == [
        ("gate", "added", True)
    ]
    assert len(answer["warnings"]) == 1


async def test_a_refused_change_names_what_to_do(client: httpx.AsyncClient) -> None:
    await client.put("/v1/specs", content=FLIGHTS)
    answer = await client.put("/v1/specs", content=FLIGHTS.replace("late: {type: bool}", "late: {type: float}"))
    assert (answer.status_code, answer.json()["code"]) == (422, "refused_dataset")
    assert (
        "late changes from bool to float, and stored rows have the former: give the column another name, or declare a "
        "dataset of another name"
    ) in answer.json()["detail"]


async def test_a_model_that_does_not_fit_is_refused_with_the_columns(client: httpx.AsyncClient, spec_text: str) -> None:
    await client.put("/v1/specs", content=FLIGHTS.replace("  distance: {type: float}\n", ""))
    answer = await client.put("/v1/specs", content=spec_text)
    assert (answer.status_code, answer.json()["code"]) == (422, "refused_spec")
    assert (
        "flights has no column distance: take it out of `features`, or add it to `columns`" in answer.json()["detail"]
    )


async def test_a_dataset_in_use_is_not_removed(client: httpx.AsyncClient, spec_text: str) -> None:
    await client.put("/v1/specs", content=FLIGHTS)
    await client.put("/v1/specs", content=spec_text)
    answer = await client.delete("/v1/datasets/flights")
    assert (answer.status_code, answer.json()["code"]) == (409, "dataset_in_use")
    advice = "remove these models first, or apply their specs with another `data.dataset`, or without features"
    assert f"{advice} `from` it, and promote a version of these specs" in answer.json()["detail"]
    await client.delete("/v1/models/late")
    removed = await client.delete("/v1/datasets/flights?reason=unused", headers=bearer(Role.APPROVER))
    assert removed.json() == {"dataset": "flights", "revision": 2}
    entries = (await client.get("/v1/datasets/flights/audit")).json()["entries"]
    assert [(each["action"], each["evidence"]["reason"]) for each in entries] == [
        ("dataset_applied", ""), ("dataset_removed", "unused"),
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/datasets/boats", "/v1/datasets/boats/audit", "/v1/datasets/..%2Fmodels"])
async def test_an_unknown_dataset_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    await client.put("/v1/specs", content=FLIGHTS)
    answer = await client.get(path)
    assert answer.status_code == 404
    if "boats" in path:
        assert answer.json()["code"] == "unknown_dataset"


async def test_the_last_of_a_kind_of_spec_has_no_effect_on_the_other(client: httpx.AsyncClient, spec_text: str) -> None:
    """A model and a dataset may have the same name. Their audit logs and revisions are separate."""
    await client.put("/v1/specs", content=FLIGHTS.replace("dataset: flights", "dataset: late"))
    await client.put("/v1/specs", content=spec_text)
    assert (await client.get("/v1/models/late/audit")).json()["entries"][0]["action"] == "spec_applied"
    assert (await client.get("/v1/datasets/late/audit")).json()["entries"][0]["action"] == "dataset_applied"


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("DELETE", "/v1/datasets/flights", Role.ENGINEER),
        ("GET", "/v1/datasets", Role.PREDICTOR),
        ("GET", "/v1/datasets/flights/audit", Role.PUBLISHER),
        ("PUT", "/v1/specs", Role.PUBLISHER),
    ],
)
async def test_a_token_without_the_role_is_refused(
    client: httpx.AsyncClient, method: str, path: str, role: Role
) -> None:
    answer = await client.request(method, path, headers=bearer(role), content=FLIGHTS if method == "PUT" else None)
    assert answer.status_code == 403
