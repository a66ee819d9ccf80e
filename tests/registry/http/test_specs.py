"""Specs over HTTP: applied once, refused with the line of the mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.contracts.access_tokens import Role

from tests.support.access import bearer

if TYPE_CHECKING:
    import httpx


async def test_applying_a_spec_twice_is_once(client: httpx.AsyncClient, spec_text: str) -> None:
    forged = bearer(Role.ENGINEER) | {"x-rondo-user": "somebody else"}
    first = (await client.put("/v1/specs", content=spec_text, headers=forged)).json()
    second = (await client.put("/v1/specs", content=spec_text)).json()
    assert (first["revision"], first["changed"], second["revision"], second["changed"]) == (1, True, 1, False)
    spec = (await client.get("/v1/models/late/spec")).json()
    assert (spec["revision"], spec["spec"]["data"]["label"]) == (1, "late")
    assert (await client.get("/v1/models/late/audit")).json()["entries"][0]["decided_by"] == "engineer"


async def test_a_typo_names_its_line(client: httpx.AsyncClient, spec_text: str) -> None:
    answer = await client.put("/v1/specs", content=spec_text.replace("gates:", "gate:"))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_spec")
    assert "line 6: `gate` is not a known key: did you mean `gates`?" in answer.json()["detail"]
    assert answer.json()["problems"] == ["line 6: `gate` is not a known key: did you mean `gates`?"]


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"model: late\nrollout: {", "invalid_spec", "not valid YAML"),
        (b"\xff\xfe", "invalid_spec", "byte 0 is not UTF-8"),
        (b"#" * 300_000, "invalid_spec", "256 KiB"),
        (b"", "invalid_spec", "line 1"),
        (b"model: iris\ntask: ranking\n", "invalid_spec", "'ranking'"),
        (b'model: late\nfeatures: {a: {type: category, values: ["x\\0"]}}\n', "invalid_spec", "U+0000"),
    ],
)
async def test_a_body_that_is_no_spec_is_refused(
    client: httpx.AsyncClient, body: bytes, code: str, message: str
) -> None:
    answer = await client.put("/v1/specs", content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert message in answer.json()["detail"]


async def test_a_label_as_a_feature_and_an_unsupported_strategy(client: httpx.AsyncClient, spec_text: str) -> None:
    answer = await client.put("/v1/specs", content=spec_text.replace("distance:", "late:"))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_spec")
    assert "line 5: `features.late`: " in answer.json()["detail"]
    answer = await client.put("/v1/specs", content=spec_text + "rollout: {strategy: mirror}\n")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_spec")
    assert "line 7: `rollout.strategy`: 'mirror' is unknown" in answer.json()["detail"]
