from __future__ import annotations

import pytest
from rondo.contracts import access_tokens
from rondo.contracts.access_tokens import InvalidSeedError, Role, TokenSeed, mint, parse_seeds, split

DIGEST = access_tokens.secret_digest("a secret")


def test_a_minted_token_matches_what_is_stored_of_it_and_no_other() -> None:
    token, seed = mint("ci", [Role.ENGINEER, Role.PUBLISHER])
    other, _ = mint("ci", [Role.ENGINEER])
    token_id, secret = split(token) or ("", "")
    assert (token_id, seed.name, seed.roles) == (seed.id, "ci", ("engineer", "publisher"))
    assert access_tokens.matches(secret, seed.secret_digest)
    assert not access_tokens.matches((split(other) or ("", ""))[1], seed.secret_digest)


def test_what_is_stored_does_not_hold_the_secret() -> None:
    token, seed = mint("ci", [Role.READER])
    _, secret = split(token) or ("", "")
    assert secret not in f"{seed!r} {seed.line}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rondo_",
        "rondo_0123456789ab_short",
        f"rondo_0123456789AB_{'s' * 40}",
        f"x_0123456789ab_{'s' * 40}",
        f"rondo_0123456789ab_{'s' * 40}\n",
        f"rondo_0123456789ab_{'é' * 40}",
    ],
)
def test_what_is_no_token(text: str) -> None:
    assert split(text) is None


def test_seeds_are_read_as_they_are_written() -> None:
    seeds = (
        TokenSeed("0123456789ab", "Ada Lovelace", ("engineer", "approver"), DIGEST),
        TokenSeed("ba9876543210", "ci", ("publisher",), DIGEST),
    )
    assert parse_seeds("# tokens\n\n" + "\n".join(seed.line for seed in seeds)) == seeds


@pytest.mark.parametrize(
    "line",
    [
        "0123456789ab",
        f"0123456789ab:ci:sha256:{'0' * 64}",
        f"0123456789ab:ci:king:{DIGEST}",
        f"0123456789ab::reader:{DIGEST}",
        f"0123456789ab:c\x00i:reader:{DIGEST}",
        f"xyz:ci:reader:{DIGEST}",
    ],
)
def test_a_line_that_is_no_seed_is_named_without_its_text(line: str) -> None:
    with pytest.raises(InvalidSeedError) as caught:
        parse_seeds(f"# the first line\n{line}\n")
    assert caught.value.number == 2
    assert "line 2 is not <id>:<name>:<role>" in str(caught.value)
    assert DIGEST not in str(caught.value)
