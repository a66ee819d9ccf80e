"""The `rondo` command."""

from rondo.client.cli.command import app


def main() -> None:
    """Run the command."""
    app()


__all__ = ["app", "main"]
