from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from rondo.contracts.access_tokens import Role, matches, parse_seeds, split
from rondo.embedded import tokens

if TYPE_CHECKING:
    from pathlib import Path


def test_one_token_of_each_role_that_the_registry_can_authenticate(tmp_path: Path) -> None:
    made = tokens.provide(tmp_path)
    seeds = {seed.id: seed for seed in parse_seeds((tmp_path / tokens.SEEDS).read_text())}
    assert made.keys() == set(Role)
    for role, token in made.items():
        token_id, secret = split(token) or ("", "")
        assert seeds[token_id].roles == (role,)
        assert matches(secret, seeds[token_id].secret_digest)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_a_start_that_keeps_its_state_keeps_its_tokens_and_another_gets_new_ones(tmp_path: Path) -> None:
    first = tokens.provide(tmp_path)
    assert tokens.provide(tmp_path) == first
    tokens.delete(tmp_path)
    assert not list(tmp_path.iterdir())
    assert not set(tokens.provide(tmp_path).values()) & set(first.values())
