"""The expressions of `prepare.derive`: a small grammar, parsed with `ast` and an allow-list. Nothing is evaluated.

An expression has names of columns, numbers, `+ - * /`, parentheses and functions.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from rondo.contracts.spec.data import LARGEST_FLOAT32

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The functions, with their least and largest number of arguments.
FUNCTIONS: dict[str, tuple[int, int]] = {
    "log": (1, 1),
    "log1p": (1, 1),
    "exp": (1, 1),
    "sqrt": (1, 1),
    "abs": (1, 1),
    "min": (2, 16),
    "max": (2, 16),
}
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
}
MAX_CHARACTERS, MAX_DEPTH = 500, 50
_QUOTED = 40
_WHAT_THERE_IS = f"write columns, numbers, + - * /, parentheses and {', '.join(FUNCTIONS)}"


class ExpressionError(ValueError):
    """The text is not an expression. The message says what to write instead."""

    code: ClassVar[str] = "invalid_expression"


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Reference:
    column: str


@dataclass(frozen=True)
class Operation:
    """`name` is a function, or `add`, `subtract`, `multiply`, `divide` or `negative`."""

    name: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = Number | Reference | Operation


def parse_expression(text: str) -> Expression:
    """Return the tree of an expression.

    Raises:
        ExpressionError: the text is not an expression, too long or too deep.

    """
    source = " ".join(text.split())
    if len(source) > MAX_CHARACTERS:
        raise ExpressionError(f"has {len(source)} characters, and at most {MAX_CHARACTERS} are read: shorten it")
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"is not an expression: {_WHAT_THERE_IS}") from None
    return _expression(tree.body, source, 1)


def references(expression: Expression) -> Iterator[str]:
    """Yield the columns of an expression, once for each occurrence."""
    if isinstance(expression, Reference):
        yield expression.column
    elif isinstance(expression, Operation):
        for argument in expression.arguments:
            yield from references(argument)


def _expression(node: ast.expr, source: str, depth: int) -> Expression:
    if depth > MAX_DEPTH:
        raise ExpressionError(f"is nested more than {MAX_DEPTH} deep: simplify it")
    match node:
        case ast.Name(id=name):
            return Reference(name)
        case ast.Constant(value=value):
            return Number(_number(value))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _expression(operand, source, depth + 1)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _operation("negative", (operand,), source, depth)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            return _operation(_OPERATORS[type(operator)], (left, right), source, depth)
        case ast.Call(func=function, args=arguments, keywords=[]):
            name = _written(function, source)
            _check_call(name, len(arguments))
            return _operation(name, arguments, source, depth)
    raise ExpressionError(f"has {_written(node, source)!r}, which is not supported: {_WHAT_THERE_IS}")


def _operation(name: str, arguments: Sequence[ast.expr], source: str, depth: int) -> Operation:
    return Operation(name, tuple(_expression(argument, source, depth + 1) for argument in arguments))


def _check_call(name: str, arguments: int) -> None:
    if name not in FUNCTIONS:
        close = get_close_matches(name, FUNCTIONS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"the functions are {', '.join(FUNCTIONS)}"
        raise ExpressionError(f"calls {name!r}, which is not a function here: {hint}")
    least, most = FUNCTIONS[name]
    if not least <= arguments <= most:
        example = f"{name}(a)" if most == 1 else f"{name}(a, b)"
        raise ExpressionError(f"calls {name} with {arguments} arguments: write {example}")


def _written(node: ast.expr, source: str) -> str:
    # `ast.unparse` would exhaust the stack on a deeply nested text.
    written = ast.get_source_segment(source, node) or source
    return written if len(written) <= _QUOTED else f"{written[:_QUOTED]}…"


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"has {value!r}, which is no number: {_WHAT_THERE_IS}")
    number = float(value) if abs(value) <= LARGEST_FLOAT32 else math.inf
    if not math.isfinite(number):
        raise ExpressionError(f"has the number {value!r}, which is more than float32 holds: write a smaller one")
    return number
