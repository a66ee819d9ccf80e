"""`rondo init`: proposes a spec for a file, or writes a template."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from rondo.client.cli.output import Json, print_json, print_note, print_text
from rondo.client.spec_proposal import files
from rondo.client.spec_proposal.checks import Check, checks_of
from rondo.client.spec_proposal.errors import ProposalRefusedError, SpecExistsError
from rondo.client.spec_proposal.proposal import Proposal, Wishes, propose
from rondo.client.spec_proposal.render import as_yaml
from rondo.client.spec_proposal.roles import Chosen
from rondo.client.spec_proposal.template import TEMPLATE
from rondo.contracts.batch_files.formats import CONTENT_TYPES, split_name
from rondo.contracts.spec.file import SpecError, parse_spec
from rondo.contracts.tasks.registry import TASKS
from rondo.contracts.text import Name

if TYPE_CHECKING:
    from collections.abc import Sequence

_FORMATS = ", ".join(CONTENT_TYPES)
# Typer needs an enumeration for the choices of an option.
TaskName = StrEnum("TaskName", [(name.upper(), name) for name in TASKS])  # type: ignore[misc]  # mypy wants literals
_NAME: TypeAdapter[str] = TypeAdapter(Name)


def _name(text: str | None) -> str | None:
    if text is not None:
        try:
            _NAME.validate_python(text)
        except ValidationError:
            message = f"{text!r} is no name: write a-z, 0-9, - and _, at most 63 long, beginning with one of a-z"
            raise typer.BadParameter(message) from None
    return text


def init(  # noqa: PLR0913, PLR0917 - the options of the command
    source: Annotated[
        Path | None,
        typer.Option("--from", exists=True, dir_okay=False, readable=True, help=f"The file to look at: {_FORMATS}."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the spec here; else it is printed.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that -o names.")] = False,  # noqa: FBT002
    label: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    entity: Annotated[str | None, typer.Option(help="The column with the id of what a row is about.")] = None,
    event_time: Annotated[str | None, typer.Option(help="The column with the time of a row.")] = None,
    task: Annotated[TaskName | None, typer.Option(help="What the label is.")] = None,
    model: Annotated[str | None, typer.Option(callback=_name, help="The name of the model.")] = None,
    dataset: Annotated[str | None, typer.Option(callback=_name, help="The name of the dataset.")] = None,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Propose a spec (rondo.yaml) for a file, and list what to check. Without --from, print one to fill in."""
    if output is not None and output.exists() and not force:
        raise SpecExistsError(str(output))
    if source is None:
        chosen = {
            "label": label,
            "entity": entity,
            "event-time": event_time,
            "task": task,
            "model": model,
            "dataset": dataset,
        }
        if given := [f"--{option}" for option, value in chosen.items() if value is not None]:
            raise typer.BadParameter(f"{', '.join(given)}: name a file with --from, too")
        _finish(TEMPLATE, {}, output, json=json)
        return
    wishes = Wishes(Chosen(entity, event_time, label), task, model, dataset)
    now = datetime.now(UTC)
    proposal = propose(files.read(source), split_name(source.name)[0], wishes, now)
    text = as_yaml(proposal)
    try:
        parse_spec(text, str(output or source))
    except SpecError as error:
        raise ProposalRefusedError(source.name, error.problems) from None
    checks = tuple(checks_of(proposal, now))
    _finish(text, _described(proposal, checks), output, json=json)
    if not json:
        _print_checks(checks, f"`rondo publish {proposal.dataset} {source}`", output)


def _finish(text: str, described: dict[str, Any], output: Path | None, *, json: bool) -> None:
    if output is not None:
        output.write_text(text, "utf-8")
    if json:
        print_json({"spec": text, "file": str(output) if output else None} | described)
    elif output is None:
        print_text(text.rstrip("\n"))
    else:
        print_text(f"wrote {output}")


def _described(proposal: Proposal, checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "model": proposal.model,
        "dataset": proposal.dataset,
        "task": proposal.label.task,
        "checks": [{"about": check.about, "check": check.text} for check in checks],
        "left_out": [{"column": each.name, "reason": each.reason} for each in proposal.left_out],
    }


def _print_checks(checks: Sequence[Check], publish: str, output: Path | None) -> None:
    print_note("check these:")
    for check in checks:
        print_note(f"  {check.about}: {check.text}")
    print_note(f"then `rondo apply {output or 'rondo.yaml'}` and {publish}")
