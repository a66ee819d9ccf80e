"""Access tokens and refusals, on the store in memory and on real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.contracts.access_tokens import Role, mint
from rondo.registry.access import tokens
from rondo.registry.errors import (
    InvalidTokenError,
    LastAdminTokenError,
    ReservedSeedError,
    RevokedTokenError,
    UnknownTokenError,
)

from tests.registry.scenarios import ANA

if TYPE_CHECKING:
    from tests.registry.scenarios import Backend

ADMIN = ANA.principal


async def create(store: Backend, name: str, role: Role) -> str:
    async with store.work() as work:
        return (await tokens.create(work, ADMIN, name, (role,), None)).token.token_id


async def test_a_token_that_was_revoked_stays_revoked(store: Backend) -> None:
    token_id = await create(store, "ci", Role.READER)
    async with store.work() as work:
        await tokens.revoke(work, ADMIN, token_id)
    for change in (tokens.rotate, tokens.revoke):
        async with store.work() as work:
            with pytest.raises(RevokedTokenError, match="was revoked: create another one"):
                await change(work, ADMIN, token_id)


async def test_the_last_admin_token_cannot_be_revoked(store: Backend) -> None:
    token_id = await create(store, "root", Role.ADMIN)
    await create(store, "ci", Role.ENGINEER)
    async with store.work() as work:
        with pytest.raises(LastAdminTokenError, match="is the last one with the role admin: create another one first"):
            await tokens.revoke(work, ADMIN, token_id)
    await create(store, "another", Role.ADMIN)
    async with store.work() as work:
        assert (await tokens.revoke(work, ADMIN, token_id)).revoked_at is not None


@pytest.mark.parametrize("name", ["registry", "schedule"])
async def test_the_names_of_the_registry_are_reserved(store: Backend, name: str) -> None:
    with pytest.raises(InvalidTokenError, match="is how the registry signs its own decisions: choose another"):
        await create(store, name, Role.ADMIN)
    assert list(await store.tokens()) == []


@pytest.mark.parametrize("name", ["registry", "schedule"])
async def test_no_seed_has_a_name_of_the_registry(store: Backend, name: str) -> None:
    seeds = [mint(each, (Role.ADMIN,))[1] for each in ("root", name)]
    async with store.work() as work:
        with pytest.raises(ReservedSeedError) as caught:
            await tokens.seed(work, seeds)
    assert (caught.value.name, list(await store.tokens())) == (name, [])


async def test_an_unknown_token_is_refused(store: Backend) -> None:
    async with store.work() as work:
        with pytest.raises(UnknownTokenError, match="there is no token 'x': `rondo token list` shows the ids"):
            await tokens.rotate(work, ADMIN, "x")
