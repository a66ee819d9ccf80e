"""`rondo export`: a version of a model for use without Rondo."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rondo.client.bento import project
from rondo.client.cli import session
from rondo.client.cli.output import Json, print_json, print_text

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo


def export(
    model: str,
    version: int,
    bento: Annotated[Path, typer.Option(help="Write a Bento for BentoML into this new folder.")],
    json: Json = False,  # noqa: FBT002
) -> None:
    """Export a version as a Bento, which BentoML serves, builds and containerizes without Rondo."""
    described, spec, artifact = session.run(lambda rondo: _fetch(rondo, model, version))
    project.write_project(described, spec, artifact, bento)
    if json:
        print_json({key: described[key] for key in ("model", "model_version", "digest")} | {"folder": str(bento)})
        return
    print_text(f"version {version} of {model} is in {bento}; with the packages of `rondo-client[bento]`")
    print_text(f"  bentoml serve {bento}")
    print_text("runs it, and there")
    print_text(f"  bentoml build --version {version} && bentoml containerize {model}:{version}")
    print_text("makes an image of it")


async def _fetch(rondo: AsyncRondo, model: str, version: int) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    described, applied = await rondo.version(model, version), await rondo.spec(model)
    return described, applied["spec"], await rondo.artifact(model, version)
