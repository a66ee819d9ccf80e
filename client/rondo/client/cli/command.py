"""The command with all its parts: what there is, and what happens to errors."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from rondo.client.cli import demo
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
app.command()(demo.demo)


@app.callback()
def _rondo() -> None:
    """Make a group of it, however many commands there are."""
