"""Decides a spec for a file, from summaries of its columns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.client.errors import RondoError
from rondo.client.spec_proposal import relations
from rondo.client.spec_proposal.errors import UnreadableFileError, UnusableColumnsError
from rondo.client.spec_proposal.features import LeftOut, ProposedFeature, choose_features, fixes
from rondo.client.spec_proposal.names import model_name
from rondo.client.spec_proposal.roles import MAX_BAD_SHARE, Chosen, RoleChoices, Roles, choose_roles
from rondo.client.spec_proposal.summary import ColumnSummary, summarize
from rondo.client.spec_proposal.tasks import LabelChoice, choose_task
from rondo.contracts.spec.model import Trainer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rondo.client.spec_proposal.files import SourceFile

_MIN_ROWS: int = Trainer.model_fields["min_rows"].default
# In a small file some rows may be quarantined, and the remaining rows should still suffice for a training.
_ENOUGH = 0.8
_MOST_BAD = 0.5


@dataclass(frozen=True)
class Wishes:
    """The decisions of a person. None if the file decides."""

    columns: Chosen = field(default_factory=Chosen)
    task: str | None = None
    model: str | None = None
    dataset: str | None = None


@dataclass(frozen=True)
class Facts:
    """Facts about the rows of a file that involve several columns.

    `repeated` counts the rows with the key of an earlier row. Each value of a `deciding` column has only one label.
    """

    rows: int
    repeated: int
    deciding: tuple[str, ...] = ()
    truncated: bool = False


@dataclass(frozen=True)
class Proposal:
    """A spec for a file. `min_rows` and `max_bad_share` are None if the defaults fit.

    `bad_share` is the share of rows that would be quarantined for their label or key. `time_zone` is the zone of event
    times without one. `names_guessed` is true if the name of the model or the dataset comes from the file.
    """

    file: str
    columns: int
    facts: Facts
    model: str
    dataset: str
    roles: Roles
    label: LabelChoice
    features: tuple[ProposedFeature, ...]
    left_out: tuple[LeftOut, ...]
    min_rows: int | None
    max_bad_share: float | None
    bad_share: float
    names_guessed: bool
    time_zone: str | None = None


def propose(file: SourceFile, stem: str, wishes: Wishes, now: datetime) -> Proposal:
    """Propose a spec. `stem` is the file's name without its suffix, `now` the current time.

    Raises:
        RondoError: the problems of `choose_roles` and `choose_task`, together if there are several, and the error of
            `choose_features`.

    """
    columns = summarize(file)
    if len(columns) == 1 and not file.keeps_types:
        why = f"it has one column, {columns[0].name[:60]!r}"
        raise UnreadableFileError(file.name, why, "separate columns by a comma, a semicolon, a tab or |, in each line")
    choices = choose_roles(columns, wishes.columns, now)
    roles, label = _decided(file.name, columns, choices, wishes.task)
    others = [column for column in columns if column.name not in roles.names]
    related = relations.label_relations(file, roles.label.column.name, [column.name for column in others])
    key = (roles.entity.column.name, roles.event_time.column.name)
    repeated = relations.repeated_keys(file, *key)
    bad = _bad_rows(roles, repeated)
    features, left_out = choose_features(
        others, related.copies, int(MAX_BAD_SHARE * file.table.num_rows) - bad, roles.names
    )
    facts = Facts(
        rows=file.table.num_rows,
        repeated=repeated,
        deciding=tuple(feature.name for feature in features if feature.name in related.deciding),
        truncated=file.truncated,
    )
    name = model_name(stem)
    form = roles.event_time.column.time_form
    share = min(bad / facts.rows, 1.0)
    return Proposal(
        file=file.name,
        columns=len(columns),
        facts=facts,
        model=wishes.model or name,
        dataset=wishes.dataset or name,
        roles=roles,
        label=label,
        features=features,
        left_out=left_out,
        min_rows=_min_rows(facts.rows - bad),
        max_bad_share=_max_bad_share(share),
        bad_share=share,
        names_guessed=wishes.model is None or wishes.dataset is None,
        time_zone="UTC" if form is not None and form.needs_zone else None,
    )


def _decided(
    file: str, columns: Sequence[ColumnSummary], choices: RoleChoices, task: str | None
) -> tuple[Roles, LabelChoice]:
    """Return the roles and the task, or raise all of their errors together with the columns that need a change."""
    problems = list(choices.problems)
    label = None
    if choices.label is not None:
        try:
            label = choose_task(choices.label.column, task)
        except RondoError as error:
            problems.append(error)
    if choices.roles is not None and label is not None:
        return choices.roles, label
    rest = fixes(column for column in columns if column.name not in choices.taken)
    if len(problems) + len(rest) == 1:
        raise problems[0]
    raise UnusableColumnsError(file, [*map(str, problems), *(f"{each.name!r}: {each.reason}" for each in rest)])


def _bad_rows(roles: Roles, repeated: int) -> int:
    """Return the largest number of rows that ingestion would quarantine for their label or their key."""
    return repeated + sum(
        role.column.missing + role.column.odd for role in (roles.entity, roles.event_time, roles.label)
    )


def _max_bad_share(bad: float) -> float | None:
    """Return a bound with which the file is accepted with a margin, in steps of 0.05. None if the default suffices."""
    if not MAX_BAD_SHARE < bad <= _MOST_BAD:
        return None
    return round(math.ceil(bad * 1.1 / 0.05) * 0.05, 2)


def _min_rows(accepted: int) -> int | None:
    enough = int(accepted * _ENOUGH)
    return None if enough >= _MIN_ROWS else max(enough, 1)
