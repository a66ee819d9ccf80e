from __future__ import annotations

import pytest
from rondo.chassis.security.principal import ForbiddenError, Principal
from rondo.contracts.access_tokens import Role

EXPECTED = {
    Role.READER: {Role.READER},
    Role.PUBLISHER: {Role.PUBLISHER},
    Role.PREDICTOR: {Role.PREDICTOR},
    Role.ENGINEER: {Role.ENGINEER, Role.READER},
    Role.APPROVER: {Role.APPROVER, Role.READER},
    Role.ADMIN: set(Role),
}


@pytest.mark.parametrize("role", Role)
def test_what_a_role_implies(role: Role) -> None:
    principal = Principal("ci", frozenset({role}))
    assert {each for each in Role if principal.has(each)} == EXPECTED[role]


def test_a_role_of_a_later_release_grants_nothing_and_does_not_hinder_the_others() -> None:
    principal = Principal("ci", frozenset({"auditor", "reader"}))
    assert {each for each in Role if principal.has(each)} == {Role.READER}


def test_a_refusal_names_the_principal_and_the_missing_role() -> None:
    error = ForbiddenError(Principal("ci", frozenset({"publisher"})), (Role.APPROVER,))
    assert (error.principal.name, error.needed) == ("ci", (Role.APPROVER,))
    assert "this needs the role approver" in str(error)
    assert "publisher" in str(error)
