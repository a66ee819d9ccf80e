"""A principal: the name of a caller, and the roles of its credential."""

from __future__ import annotations

from dataclasses import dataclass

from rondo.contracts.access_tokens import Role

_IMPLIED = {
    Role.ENGINEER: frozenset({Role.READER}),
    Role.APPROVER: frozenset({Role.READER}),
    Role.ADMIN: frozenset(Role),
}


@dataclass(frozen=True)
class Principal:
    """An authenticated caller. `name`, which the audit log records, comes only from the credential."""

    name: str
    roles: frozenset[str]

    def has(self, role: Role) -> bool:
        """Return whether one of the roles is, or implies, `role`."""
        return role in self.roles or any(role in _IMPLIED.get(Role(own), ()) for own in self.roles if own in set(Role))


class ForbiddenError(Exception):
    """The principal has none of the roles that the request needs."""

    code = "forbidden"

    def __init__(self, principal: Principal, needed: tuple[Role, ...]) -> None:
        self.principal, self.needed = principal, needed
        roles = ", ".join(sorted(principal.roles)) or "none"
        super().__init__(
            f"this needs the role {' or '.join(needed)}; {principal.name} has {roles}: use a token that has it, or ask "
            f"an admin for one (`rondo token create NAME --role {needed[0]}`)"
        )
