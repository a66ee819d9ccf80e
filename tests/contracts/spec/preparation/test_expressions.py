"""Expressions are parsed with an allow-list. Everything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.preparation.expressions import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    ExpressionError,
    Number,
    Operation,
    Reference,
    parse_expression,
    references,
)

A, B, ONE = Reference("a"), Reference("b"), Number(1.0)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", A),
        (" (a) ", A),
        ("+a", A),
        ("1", ONE),
        ("1.0", ONE),
        ("-a", Operation("negative", (A,))),
        ("a + 1 * b", Operation("add", (A, Operation("multiply", (ONE, B))))),
        ("a - b - 1", Operation("subtract", (Operation("subtract", (A, B)), ONE))),
        ("a /\n  b", Operation("divide", (A, B))),
        ("log(a)", Operation("log", (A,))),
        ("max(a, b, 1)", Operation("max", (A, B, ONE))),
    ],
)
def test_an_expression_is_its_tree(text: str, tree: object) -> None:
    assert parse_expression(text) == tree


@pytest.mark.parametrize(
    "text",
    [
        "", "a +", "a b", "a = 1", "a; b", "lambda: a", "a ** 2", "a // b", "a % b", "a @ b", "not a", "~a", "a < b",
        "a and b", "a if b else a", "a.b", "a[0]", "[a]", "{a}", "(a, b)", "'a'", "f'{a}'", "None", "True", "1j", "...",
        "1e39", "9" * 400, "log()", "log(a, b)", "min(a)", "log(a, base=2)", "log(*a)", "max(**a)", "lgo(a)", "eval(a)",
        "__import__('os').system('true')", "(lambda: a)()", "log(a)(b)", "a\x00", "\ud800", "(" * 300 + "a" + ")" * 300,
        "~" * 490 + "a", "-" * (MAX_DEPTH + 1) + "a", "a+" * MAX_CHARACTERS + "a", "(yield)", "await a", "a := 1",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError) as refusal:
        parse_expression(text)
    assert refusal.value.code == "invalid_expression"


@given(st.text(max_size=60) | st.text("ab1.+-*/() ,logminx", max_size=60))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        tree = parse_expression(text)
    except ExpressionError:
        return
    assert isinstance(tree, Number | Reference | Operation)


def test_its_columns_are_named_as_often_as_they_occur() -> None:
    assert list(references(parse_expression("a / (b + log(a)) + 1"))) == ["a", "b", "a"]


def test_a_sum_of_many_columns_is_not_too_deep() -> None:
    assert len(list(references(parse_expression(" + ".join(["a"] * 45))))) == 45


def test_a_refusal_names_what_was_meant() -> None:
    with pytest.raises(ExpressionError, match=r"calls 'lgo', which is not a function here: did you mean log\?"):
        parse_expression("lgo(a)")
