"""The `rondo` command."""

from rondo.client.cli.command import app


def main() -> None:
    app()


__all__ = ["app", "main"]
