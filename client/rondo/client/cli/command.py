"""The command with all its parts: what there is, and what happens to errors."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from rondo.client.cli import export, failure, models, outcome, predict, promote, publish, quarantine, status, watch
from rondo.client.cli.local import demo, up
from rondo.client.cli.output import complain
from rondo.client.errors import RondoError
from rondo.contracts.spec.file import SpecError

_INTERRUPTED = 130
# Typer exports what is raised for a wrong option, and not its base, which is raised for a wrong command, too.
_UsageError: Any = typer.BadParameter.__base__
_FOR_PROGRAMS = "rondo.json"


class _Commands(TyperGroup):
    """What a person can put right is one clear message on stderr and exit code 1, never a traceback.

    With `--json` it is an object on stdout, too, whatever the command: a program need not read stderr.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words; whether `--json` is among them is known even where the others can't be read."""
        ctx.meta[_FOR_PROGRAMS] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        for_programs = ctx.meta[_FOR_PROGRAMS]
        try:
            return super().invoke(ctx)
        except (RondoError, SpecError) as error:
            if for_programs:
                failure.print_failure(error)
            complain(str(error))
            raise typer.Exit(1) from None
        except _UsageError as error:
            if for_programs:
                failure.print_usage(error.format_message())
            raise
        except KeyboardInterrupt:
            complain("stopped")
            raise typer.Exit(_INTERRUPTED) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Rondo: models that retrain and redeploy themselves.",
)
for command in (
    up.up,
    up.down,
    demo.demo,
    status.status,
    publish.apply,
    publish.publish,
    predict.predict,
    outcome.outcome,
    watch.watch,
    models.models,
    models.runs,
    quarantine.quarantine,
    quarantine.failed,
    models.history,
    models.lineage,
    export.export,
    promote.promote,
    promote.rollback,
    promote.train,
):
    app.command()(command)
