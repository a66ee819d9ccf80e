"""`rondo token`: access tokens. Needs the role admin."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.arguments import local_time
from rondo.client.cli.output import Json, minute, print_json, print_note, print_table, print_text
from rondo.contracts.access_tokens import Role  # noqa: TC001 - typer reads annotations

app = typer.Typer(no_args_is_help=True, add_completion=False)
Id = Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `rondo token list` shows it.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who uses the token; the audit log has this name.")],
    role: Annotated[list[Role], typer.Option(help="What it allows; repeat the option for several.")],
    expires: Annotated[str, typer.Option(help="When it expires, such as 2027-03-01T12:00:00Z; by default never.")] = "",
    json: Json = False,  # noqa: FBT002
) -> None:
    """Create a token and print it. Only its hash is stored: it can't be shown again."""
    roles, expires_at = [str(each) for each in role], local_time(expires) if expires else None
    _print_secret(session.run(lambda rondo: rondo.create_token(name, roles, expires_at)), json=json)


@app.command("list")
def list_tokens(json: Json = False) -> None:  # noqa: FBT002
    """List the tokens: id, name, roles and state."""
    found = session.run(lambda rondo: rondo.tokens())
    if json:
        print_json(found)
    else:
        rows = [(t["token_id"], t["name"], ", ".join(t["roles"]), minute(t["created_at"]), _state(t)) for t in found]
        print_table(("id", "name", "roles", "created", "state"), rows)


@app.command()
def rotate(id: Id, json: Json = False) -> None:  # noqa: A002, FBT002
    """Replace the secret of a token and print the new token. The old one is refused from then on."""
    _print_secret(session.run(lambda rondo: rondo.rotate_token(id)), json=json)


@app.command()
def revoke(id: Id, json: Json = False) -> None:  # noqa: A002, FBT002
    """Revoke a token: every service refuses it from then on."""
    revoked = session.run(lambda rondo: rondo.revoke_token(id))
    if json:
        print_json(revoked)
    else:
        print_text(f"token {id} is revoked")


def _print_secret(created: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(created)
        return
    print_text(created["token"])
    print_note(f"token {created['token_id']} of {created['name']}: keep it now, it can't be shown again")


def _state(token: dict[str, Any]) -> str:
    if token["revoked_at"]:
        return f"revoked {minute(token['revoked_at'])}"
    return f"expires {minute(token['expires_at'])}" if token["expires_at"] else "valid"
