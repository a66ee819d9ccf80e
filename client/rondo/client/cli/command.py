"""The command with all its parts: what there is, and what happens to errors."""

from __future__ import annotations

import logging
from typing import Any

import typer
from typer.core import TyperGroup

from rondo.client.cli import data, decisions, demo, models, predict, status, up, watch
from rondo.client.cli.screen import complain
from rondo.client.errors import RondoError
from rondo.contracts.spec_file import SpecError

_INTERRUPTED = 130


class _Commands(TyperGroup):
    """What a person can put right is one clear message on stderr and exit code 1, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (RondoError, SpecError) as error:
            complain(str(error))
            raise typer.Exit(1) from None
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
    data.apply,
    data.publish,
    predict.predict,
    data.outcome,
    watch.watch,
    models.models,
    models.runs,
    models.history,
    models.lineage,
    decisions.promote,
    decisions.rollback,
    decisions.train,
):
    app.command()(command)


@app.callback()
def _rondo() -> None:
    # Its errors are said once, by us.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
