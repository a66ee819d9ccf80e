"""The `rondo` command with all subcommands, and the output of errors."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rondo.client.cli import (
    alerts,
    labels,
    outcome,
    predict,
    publish,
    quarantine,
    session,
    status,
    token,
    watch,
)
from rondo.client.cli.drift import command as drift
from rondo.client.cli.local import demo, init, up
from rondo.client.cli.output import print_error, print_json, print_note
from rondo.client.cli.scoring import command as scoring
from rondo.client.cli.versions import export, models, promote, register, rollout
from rondo.client.errors import RondoError
from rondo.contracts.environment import unknown_variables
from rondo.contracts.spec.file import SpecError

_INTERRUPTED = 130
# Typer exports the error of a wrong option, but not its base class, which a wrong command raises, too.
_UsageError: Any = typer.BadParameter.__base__
_JSON = "rondo.json"


class _Commands(TyperGroup):
    """Prints an expected error as one message on stderr without a traceback, and exits with code 1.

    With `--json` the error is also an object on stdout, so that programs need not read stderr.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # The option is looked up here, because an error in another argument ends the parsing.
        ctx.meta[_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        as_json = ctx.meta[_JSON]
        try:
            return super().invoke(ctx)
        except (RondoError, SpecError) as error:
            if as_json:
                print_json(error_object(error))
            print_error(str(error))
            raise typer.Exit(1) from None
        except _UsageError as error:
            if as_json:
                print_json({"error": "usage", "message": error.format_message()})
            raise
        except KeyboardInterrupt:
            print_error("stopped")
            raise typer.Exit(_INTERRUPTED) from None


def error_object(error: RondoError | SpecError) -> dict[str, Any]:
    """Return `error` (its code) and `message`. If the error has several faults, `reasons` has a line for each."""
    code = "invalid_spec" if isinstance(error, SpecError) else error.code
    content: dict[str, Any] = {"error": code, "message": str(error)}
    return content | {"reasons": list(error.problems)} if error.problems else content


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Rondo: models that retrain and redeploy themselves.",
)


@app.callback()
def options(
    token: Annotated[
        str | None,
        typer.Option(help="The access token to use; by default RONDO_TOKEN, else the admin token of the local stack."),
    ] = None,
) -> None:
    # A service refuses an unknown variable. A command only warns, because its user may set it for another program.
    for problem in unknown_variables(os.environ):
        print_note(f"rondo: warning: {problem}")
    session.use_token(token)


for command in (
    up.up,
    up.down,
    demo.demo,
    status.status,
    init.init,
    publish.apply,
    publish.datasets,
    publish.publish,
    predict.predict,
    scoring.score,
    outcome.outcome,
    watch.watch,
    models.models,
    drift.drift,
    labels.labels,
    alerts.alerts,
    alerts.silence,
    alerts.silences,
    alerts.unsilence,
    models.runs,
    quarantine.quarantine,
    quarantine.failed,
    models.history,
    models.lineage,
    export.export,
    promote.promote,
    promote.rollback,
    rollout.rollout,
    promote.train,
    register.register,
    promote.remove,
):
    app.command()(command)
app.add_typer(token.app, name="token", help="Create, list, rotate and revoke access tokens.")
