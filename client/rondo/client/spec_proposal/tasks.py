"""Decides the task from the values of the label, and the positive one of two labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.client.spec_proposal.errors import TaskMismatchError, UnusableRoleError
from rondo.client.spec_proposal.names import words
from rondo.client.spec_proposal.summary import ColumnSummary, Kind
from rondo.contracts.tasks.binary import BINARY, YES_NO
from rondo.contracts.tasks.multiclass import MAX_CLASSES, MULTICLASS
from rondo.contracts.tasks.registry import TASKS
from rondo.contracts.tasks.regression import REGRESSION

if TYPE_CHECKING:
    from collections.abc import Sequence

# The tasks that the values of a column can decide. `--task` names others.
_GUESSED = (BINARY.name, MULTICLASS.name, REGRESSION.name)
# A column with more distinct whole numbers than this has amounts rather than classes.
_MOST_NUMBERS = 20
_AMOUNTS = frozenset(
    ("amount", "age", "count", "cost", "days", "duration", "hours", "length", "minutes", "n", "num", "number",
     "price", "quantity", "rating", "revenue", "sales", "score", "seconds", "size", "sum", "total", "weight")
)  # fmt: skip
_POSITIVE = frozenset(
    ("1", "y", "yes", "t", "true", "pos", "positive", "bad", "churn", "churned", "default", "fail", "failed",
     "failure", "fraud", "late", "lost", "malignant", "sick", "spam", "up", "buy", "bought", "won",
     "ja", "oui", "sí", "si", "sim", "tak")
)  # fmt: skip
_NEGATIVE = frozenset(
    ("0", "-1", "n", "no", "f", "false", "neg", "negative", "good", "ok", "none", "not", "stayed", "on time", "benign",
     "healthy", "ham", "down", "legit", "nein", "non", "nee", "nej", "não", "nao", "nie")
)  # fmt: skip


@dataclass(frozen=True)
class LabelChoice:
    """The task. For a binary label also its two texts, unless they are 0 and 1, or true and false."""

    task: str
    why: str
    positive: str | None = None
    negative: str | None = None
    positive_why: str = ""


def choose_task(label: ColumnSummary, asked: str | None) -> LabelChoice:
    """Decide the task.

    Raises:
        UnusableRoleError: the label has only one value, or values that can't be labels.
        TaskMismatchError: the values do not fit the task that was asked for.

    """
    _check_values(label)
    task = asked or _task(label)
    why = "named with --task" if asked else _why(label, task)
    if asked and (problem := _mismatch(label, asked)):
        raise TaskMismatchError(asked, label.name, problem)
    if not TASKS[task].names_labels or _is_zero_one(label):
        return LabelChoice(task, why)
    positive, negative, positive_why = _two_texts(label)
    return LabelChoice(task, why, positive, negative, positive_why)


def _check_values(label: ColumnSummary) -> None:
    name, advice = label.name, "name another column with --label"
    if label.kind in (Kind.EMPTY, Kind.OTHER, Kind.TIME):
        why = {Kind.EMPTY: "it has no value", Kind.TIME: "its values are times"}.get(label.kind, label.type_name)
        raise UnusableRoleError("label", name, why, advice)
    if label.number_like:
        why = f"its numbers are written as texts such as {label.number_like!r}"
        raise UnusableRoleError("label", name, why, "write them with digits and a decimal point alone, such as 1234.5")
    if label.distinct == 1:
        why = f"all rows have the value {label.values[0][0]!r}, so there is nothing to learn"
        raise UnusableRoleError("label", name, why, "give a file with other values, too")


def _task(label: ColumnSummary) -> str:
    if label.kind == Kind.FLOAT and not label.whole:
        return REGRESSION.name
    if label.distinct == 2:  # noqa: PLR2004
        return BINARY.name
    if label.kind == Kind.TEXT:
        if problem := _mismatch(label, MULTICLASS.name):
            raise UnusableRoleError("label", label.name, problem, "name another column with --label")
        return MULTICLASS.name
    amount = bool(set(words(label.name)) & _AMOUNTS)
    few = label.distinct <= min(_MOST_NUMBERS, label.present / 2)
    return MULTICLASS.name if label.kind == Kind.INT and few and not amount else REGRESSION.name


def _why(label: ColumnSummary, task: str) -> str:
    if task == BINARY.name:
        return "the label has two values"
    if task == MULTICLASS.name:
        few = "" if label.kind == Kind.TEXT else "; `regression` if they are amounts"
        return f"the label has {label.distinct} {'texts' if label.kind == Kind.TEXT else 'whole numbers'}{few}"
    if task not in _GUESSED:
        return TASKS[task].description
    classes = (
        "; `multiclass` if they are classes"
        if label.whole and label.distinct <= min(MAX_CLASSES, label.present / 2)
        else ""
    )
    return f"the label has {label.distinct:,} different numbers{classes}"


def _mismatch(label: ColumnSummary, task: str) -> str:
    """Return the reason why the values can't be labels of a task. "" if they can."""
    if task == BINARY.name and (label.distinct != 2 or (label.kind == Kind.FLOAT and not label.whole)):  # noqa: PLR2004
        return f"a binary label has two texts or whole numbers, and this has {label.distinct:,} different values"
    if task == REGRESSION.name and label.kind not in (Kind.INT, Kind.FLOAT):
        return f"it has {'true and false' if label.kind == Kind.BOOL else 'texts'}, not numbers"
    if task == MULTICLASS.name:
        if label.kind == Kind.FLOAT and not label.whole:
            return "classes are texts or whole numbers, and it has other numbers"
        if label.distinct > MAX_CLASSES:
            return f"it has {label.distinct:,} different values, and at most {MAX_CLASSES} are classes"
        if label.unique and label.present > _MOST_NUMBERS:
            return "each row has its own value, so these are no classes"
    return "" if task in _GUESSED else _unreadable(label, task)


def _unreadable(label: ColumnSummary, task: str) -> str:
    labels = TASKS[task].labels(None, None)
    wrong = next((value for value, _ in label.values if labels.parse(value) is None), None)
    return "" if wrong is None else f"it has {wrong!r}, and the label of {task} is {labels.expected}"


def _is_zero_one(label: ColumnSummary) -> bool:
    """Return whether ingestion accepts both values without texts in the spec."""
    if label.kind == Kind.TEXT:
        return False
    return all(value.lower() in YES_NO or _as_float(value) in (0.0, 1.0) for value, _ in label.values)


def _as_float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _two_texts(label: ColumnSummary) -> tuple[str, str, str]:
    """Return the positive and the negative label, and the reason."""
    values = [value for value, _ in label.values]
    numbers = [_as_float(value) for value in values]
    if None not in numbers:
        low, high = sorted(values, key=float)
        return high, low, "the greater number"
    for positive, negative in (values, values[::-1]):
        if _is_positive(positive) != _is_positive(negative) and _is_positive(positive):
            return positive, negative, "by its meaning"
        if _is_negative(negative) and not _is_negative(positive):
            return positive, negative, "the other one means its absence"
    return values[1], values[0], "the rarer one"


def _is_positive(value: str) -> bool:
    return value.lower() in _POSITIVE


def _is_negative(value: str) -> bool:
    folded = value.lower()
    parts: Sequence[str] = folded.replace("-", " ").replace("_", " ").split()
    return folded in _NEGATIVE or parts[:1] in (["no"], ["not"], ["non"])
