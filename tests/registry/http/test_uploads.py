"""ONNX files over HTTP: stored and registered, or refused, with limits on size and concurrency."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import httpx
import onnx
import pytest
from rondo.chassis.artifacts import ArtifactMissingError, digest_of
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.contracts.access_tokens import Role
from rondo.registry.audit.verifier import AuditVerifier
from rondo.registry.http import app
from rondo.registry.http.dependencies import MAX_UPLOADS, ApiContext, open_api
from rondo.registry.postgres.queries import PostgresQueries
from rondo.registry.postgres.unit_of_work import PostgresStore

from tests.registry.builders import onnx_model
from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rondo.chassis.artifacts import Artifacts
    from rondo.chassis.postgres.pool import Database


async def test_a_model_made_elsewhere_is_stored_and_its_registration_requested(
    seeded: httpx.AsyncClient, artifacts: Artifacts
) -> None:
    content = onnx_model("elsewhere")
    path, by = "/v1/models/late/versions?reason=new+loss", bearer(Role.ENGINEER)
    requested = await seeded.post(path, content=content, headers=by)
    assert requested.status_code == 202
    body = requested.json()
    assert (body["status"], body["artifact"]) == ("requested", digest_of(content))
    assert await artifacts.get(body["artifact"]) == content
    entry = (await seeded.get("/v1/models/late/audit")).json()["entries"][-1]
    assert (entry["action"], entry["decided_by"]) == ("registration_requested", "engineer")
    assert (entry["evidence"]["trigger"]["id"], entry["evidence"]["reason"]) == (body["trigger_id"], "new loss")


async def test_bodies_may_be_compressed(seeded: httpx.AsyncClient, spec_text: str) -> None:
    compressed = {"content-encoding": "gzip"}
    spec, model = gzip.compress(spec_text.encode()), gzip.compress(onnx_model("compressed"))
    assert (await seeded.put("/v1/specs", content=spec, headers=compressed)).json()["changed"] is False
    registered = await seeded.post("/v1/models/late/versions", content=model, headers=compressed)
    assert (registered.status_code, registered.json()["artifact"]) == (202, digest_of(onnx_model("compressed")))
    for method, path in (("PUT", "/v1/specs"), ("POST", "/v1/models/late/versions")):
        refused = await seeded.request(method, path, content=b"x", headers={"content-encoding": "br"})
        assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_encoding")
    bomb = gzip.compress(b"#" * 300_000)
    refused = await seeded.put("/v1/specs", content=bomb, headers=compressed)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_spec")
    assert "256 KiB" in refused.json()["detail"]


async def test_a_file_that_cannot_be_registered_is_refused(seeded: httpx.AsyncClient, artifacts: Artifacts) -> None:
    refused = await seeded.post("/v1/models/gone/versions", content=onnx_model("elsewhere"))
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_model")
    pickled = b"\x80\x04\x95pickle"
    refused = await seeded.post("/v1/models/late/versions", content=pickled)
    assert (refused.status_code, refused.json()["code"]) == (422, "not_onnx")
    assert "the file can't be registered, it is not an ONNX model: send the bytes of an ONNX model" in refused.text
    with pytest.raises(ArtifactMissingError):
        await artifacts.get(digest_of(pickled))
    champion = (await seeded.get("/v1/models/late/versions/2/artifact")).content
    refused = await seeded.post("/v1/models/late/versions", content=champion)
    assert (refused.status_code, refused.json()["code"]) == (409, "already_serving")
    assert await artifacts.has(digest_of(champion)), "what a version needs stays"
    assert "version 2 of late, which serves, is this very file: nothing to register" in refused.json()["detail"]


@pytest.mark.slow
async def test_a_model_with_too_many_parts_is_refused_before_it_is_parsed(seeded: httpx.AsyncClient) -> None:
    graph = onnx.GraphProto(node=[onnx.NodeProto()] * 500_001)
    content = onnx.ModelProto(graph=graph).SerializeToString()
    refused = await seeded.post("/v1/models/late/versions", content=content)
    assert (refused.status_code, refused.json()["code"]) == (413, "model_too_complex")
    detail = refused.json()["detail"]
    assert "the model is not read, it has more than 500,000 nodes, tensors and other messages" in detail
    assert "join its nodes, such as trees, into fewer operators" in detail


async def test_few_models_are_in_memory_at_the_same_time(seeded: httpx.AsyncClient) -> None:
    reading, most, model, barrier = 0, 0, onnx_model("parallel"), asyncio.Barrier(MAX_UPLOADS)

    async def body() -> AsyncIterator[bytes]:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await barrier.wait()
        yield model
        reading -= 1

    posted = (seeded.post("/v1/models/late/versions", content=body()) for _ in range(2 * MAX_UPLOADS))
    assert {answer.status_code for answer in await asyncio.gather(*posted)} == {202}
    assert most == MAX_UPLOADS


async def test_a_model_is_read_up_to_the_limit(
    registry_database: Database, artifacts: Artifacts, client: httpx.AsyncClient, spec_text: str
) -> None:
    await client.put("/v1/specs", content=spec_text)
    api, queries = app.api(), PostgresQueries(registry_database)
    open_api(api, ApiContext(PostgresStore(registry_database), queries, artifacts, AuditVerifier(queries), 100))

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 60

    transport = httpx.ASGITransport(guarded(Health(), await token_cache(), api))
    async with httpx.AsyncClient(transport=transport, base_url="http://registry", headers=bearer()) as limited:
        for content in (b"x" * 101, unannounced()):
            refused = await limited.post("/v1/models/late/versions", content=content)
            assert (refused.status_code, refused.json()["code"]) == (413, "model_too_large")
            assert "the model is larger than 100 bytes, the limit of this registry" in refused.json()["detail"]
