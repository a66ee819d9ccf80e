"""Errors of a file for which no spec can be proposed. Each names an option or a change of the file that helps."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from rondo.client.errors import RondoError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_NAMES = 20


class UnreadableFileError(RondoError):
    """A file is damaged, or does not have the format of its suffix."""

    code = "unreadable_file"

    def __init__(self, file: str, why: str, advice: str) -> None:
        self.file, self.why = file, why
        super().__init__(f"{file} can't be read: {why}; {advice}")


class NoRowsError(RondoError):
    code = "no_rows"

    def __init__(self, file: str, columns: int) -> None:
        self.file = file
        has = f"{columns:,} columns and no row" if columns else "no header and no row"
        super().__init__(f"{file} has {has}: a spec is proposed by values, so give a file with some")


class UnknownColumnError(RondoError):
    """An option names a column that the file does not have."""

    code = "unknown_column"

    def __init__(self, option: str, name: str, known: Sequence[str]) -> None:
        self.option, self.name = option, name
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {_listed(known)}"
        super().__init__(f"{option} {name!r}: the file has no such column; {hint}")


class MissingRoleError(RondoError):
    """No column of the file can be the entity, the event time or the label."""

    def __init__(self, role: str, option: str, wanted: str, columns: Sequence[str]) -> None:
        self.role, self.code = role, f"no_{role}"
        super().__init__(
            f"no column looks like the {role.replace('_', ' ')}, {wanted}: name one with {option}, or add it to the "
            f"file; it has {_listed(columns)}"
        )


class UnusableRoleError(RondoError):
    """A column can't be the entity, the event time or the label."""

    code = "unusable_column"

    def __init__(self, role: str, column: str, why: str, advice: str) -> None:
        self.role, self.column = role, column
        super().__init__(f"{column!r} can't be the {role.replace('_', ' ')}: {why}; {advice}")


class UnusableColumnsError(RondoError):
    """Several columns need a change, or other columns must be named, before a spec can be proposed.

    The error names all.
    """

    code = "unusable_columns"

    def __init__(self, file: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "\n".join((f"no spec is proposed for {file} before these {len(problems):,} are solved:",
                       *(f"  {problem}" for problem in problems)))
        )  # fmt: skip


class TaskMismatchError(RondoError):
    """The values of the label do not fit the task that was asked for."""

    code = "task_mismatch"

    def __init__(self, task: str, column: str, why: str) -> None:
        self.task, self.column = task, column
        super().__init__(f"--task {task} does not fit the label {column!r}: {why}; leave --task out to get a proposal")


class NoFeaturesError(RondoError):
    """No column is left as a feature."""

    code = "no_features"

    def __init__(self, left_out: Sequence[tuple[str, str]]) -> None:
        problems = [f"{name}: {reason}" for name, reason in left_out]
        super().__init__(
            "\n".join(("no column is left as a feature: add columns that are known when a prediction is asked for",
                       *(f"  {problem}" for problem in problems)))
        )  # fmt: skip
        self.problems = tuple(problems)


class ProposalRefusedError(RondoError):
    """The spec's own validation refuses the proposal."""

    code = "proposal_refused"

    def __init__(self, file: str, problems: Sequence[str]) -> None:
        super().__init__(
            "\n".join((f"what {file} suggests is not a spec that this release takes, so nothing was written:",
                       *(f"  {problem}" for problem in problems),
                       "  name another column or task with --label, --entity, --event-time or --task"))
        )  # fmt: skip
        self.problems = tuple(problems)


class SpecExistsError(RondoError):
    """The file to write exists already."""

    code = "file_exists"

    def __init__(self, file: str) -> None:
        self.file = file
        super().__init__(f"{file} exists: name another file with -o, or replace it with --force")


def _listed(names: Sequence[str]) -> str:
    more = [f"and {len(names) - _MOST_NAMES:,} more"] if len(names) > _MOST_NAMES else []
    return ", ".join([*map(repr, names[:_MOST_NAMES]), *more])
