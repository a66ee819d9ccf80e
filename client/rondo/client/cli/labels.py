"""`rondo labels`: predictions whose outcomes are wanted, to estimate the loss."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from rondo.client.cli import session
from rondo.client.cli.output import Json, print_json, print_note, print_text


def labels(
    model: str,
    budget: Annotated[int, typer.Option(min=1, max=10_000, help="The most predictions of a day of event time.")] = 100,
    uncertain: Annotated[  # noqa: FBT002
        bool, typer.Option("--uncertain", help="Choose those with an uncertain loss more often.")
    ] = False,
    json: Json = False,  # noqa: FBT002
) -> None:
    """List predictions whose outcomes are wanted, as JSON Lines for `rondo outcome MODEL --from`.

    Fill in each `outcome`. The same predictions are listed each time, until they have an outcome. With --json each also
    has the probability with which it was chosen. Losses divided by it estimate the loss of all predictions.
    """
    found = session.run(lambda rondo: rondo.wanted_labels(model, budget, uncertain=uncertain))
    if json:
        print_json(found)
        return
    for each in found["wanted"]:
        print_text(orjson.dumps({"id": each["id"], "outcome": None}).decode())
    print_note(
        f"{len(found['wanted']):,} of {found['unlabelled']:,} predictions without an outcome: fill in `outcome`, and "
        f"send them with `rondo outcome {model} --from FILE`"
    )
