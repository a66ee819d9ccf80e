"""Every mistake in `prepare` is reported at its path, with what to write instead."""

from __future__ import annotations

import pytest
from rondo.contracts.spec.file import SpecError, parse_spec
from rondo.contracts.spec.model import ModelSpec

GOOD = """\
model: price
data: {dataset: bookings, entity: id, event_time: at, label: paid}
features:
  amount: {type: float}
  income: {type: float, optional: true}
  age: {type: int, optional: true}
  city: {type: category}
  url: {type: category}
  booked_at: {type: category}
prepare:
  impute: {age: median, income: mean, rate: 0}
  scale: {income: standard, age: minmax, rate: standard}
  encode: {city: one_hot, url: hash}
  dates: {booked_at: [month, hour]}
  derive: {rate: amount / income, late: "max(0, booked_at_hour - 20)"}
  drop: [amount]
"""
AFTER_IMPUTE = "is dropped, and expressions take it as it is: leave it out of one"
A_CATEGORY = "is a category, and this takes numbers"
NOT_THERE = "is not one of the columns that can stand here:"
# The right text, the wrong one, the path of the problem, and what its message says.
MISTAKES = {
    "misspelt column": ("age: median", "aeg: median", "impute.aeg", "did you mean 'age'?"),
    "misspelt part": ("drop: [amount]", "drop: [booked_at_huor]", "drop.0", "did you mean 'booked_at_hour'?"),
    "nothing close": ("city: one_hot", "qqq: one_hot", "encode.qqq", f"{NOT_THERE} there are city"),
    "impute a category": ("age: median", "city: 0", "impute.city", A_CATEGORY),
    "scale a category": ("age: minmax", "city: minmax", "scale.city", A_CATEGORY),
    "scale a date": ("age: minmax", "booked_at: minmax", "scale.booked_at", "is a date: name one of its parts"),
    "impute what is dropped": ("age: median", "amount: median", "impute.amount", AFTER_IMPUTE),
    "scale what is dropped": ("age: minmax", "amount: minmax", "scale.amount", AFTER_IMPUTE),
    "misspelt statistic": ("age: median", "age: medain", "impute.age", "did you mean 'median'?"),
    "no statistic": ("age: median", "age: '0'", "impute.age", "use mean, median or write a number"),
    "true for a number": ("age: median", "age: true", "impute.age", "expected mean, median or a finite number"),
    "no number": ("age: median", "age: .nan", "impute.age", "expected mean, median or a finite number"),
    "a number beyond float32": ("age: median", "age: 1e39", "impute.age", "more than float32 holds"),
    "misspelt scaling": ("age: minmax", "age: min_max", "scale.age", "did you mean 'minmax'?"),
    "misspelt encoding": ("city: one_hot", "city: onehot", "encode.city", "did you mean 'one_hot'?"),
    "encode a number": ("city: one_hot", "age: one_hot", "encode.age", "is of type int, and this takes categories"),
    "encode a date": ("city: one_hot", "booked_at: one_hot", "encode.booked_at", "whose text is not encoded"),
    "encode what is dropped": ("drop: [amount]", "drop: [amount, city]", "encode.city", "is dropped, so"),
    "date of a number": ("booked_at: [", "age: [", "dates.age", "is of type int: dates are ISO 8601 texts"),
    "misspelt date": ("booked_at: [", "boked_at: [", "dates.boked_at", "did you mean 'booked_at'?"),
    "misspelt word for a part": ("[month,", "[mnoth,", "dates.booked_at.0", "did you mean 'month'?"),
    "a part twice": ("[month,", "[hour,", "dates.booked_at.1", "is there twice"),
    "no part": ("[month, hour]", "[]", "dates.booked_at", "is empty"),
    "a part is a feature": ("  age:", "  booked_at_hour: {type: int}\n  age:", "dates.booked_at.1", "also a feature"),
    "no expression": ("amount / income", "amount /", "derive.rate", "is not an expression"),
    "unknown column": ("amount / income", "amont / income", "derive.rate", "did you mean 'amount'?"),
    "text in an expression": ("amount / income", "city / income", "derive.rate", A_CATEGORY),
    "derived of derived": ("amount / income", "late / income", "derive.rate", "is derived itself"),
    "a date in an expression": ("amount / income", "booked_at", "derive.rate", "is a date: name one of its parts"),
    "the same in every row": ("amount / income", "1 / 2", "derive.rate", "is the same for every row"),
    "the name of a feature": ("late:", "age:", "derive.age", "is also a feature"),
    "the name of a part": ("late:", "booked_at_hour:", "derive.booked_at_hour", "is also a part of a date"),
    "the name of the label": ("late:", "paid:", "derive.paid", "is also `data.label`"),
    "drop what is derived": ("drop: [amount]", "drop: [late]", "drop.0", "leave it out of `derive`"),
    "drop a date": ("drop: [amount]", "drop: [booked_at]", "drop.0", "is a date, whose text is not encoded"),
    "drop twice": ("drop: [amount]", "drop: [amount, amount]", "drop.1", "is there twice"),
    "unknown key": ("scale:", "sclae:", "sclae", "did you mean `scale`?"),
    "too few buckets": ("encode:", "hash_buckets: 1\n  encode:", "hash_buckets", "2"),
}  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize(("right", "wrong", "path", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_its_path(right: str, wrong: str, path: str, message: str) -> None:
    assert right in GOOD
    with pytest.raises(SpecError) as refusal:
        parse_spec(GOOD.replace(right, wrong, 1))
    found = [problem for problem in refusal.value.problems if f"`prepare.{path}`" in problem]
    assert len(found) == 1
    assert message in found[0]


def test_an_estimator_needs_a_column() -> None:
    features = "features: {x: {type: float}}\nprepare: {drop: [x]}\n"
    with pytest.raises(SpecError) as refusal:
        parse_spec(GOOD.partition("features:")[0] + features)
    (problem,) = refusal.value.problems
    assert "`prepare.drop`" in problem


def test_a_good_section_is_read_and_its_order_means_nothing() -> None:
    spec = parse_spec(GOOD)
    assert spec.prepare.impute == {"age": "median", "income": "mean", "rate": 0}
    assert spec.prepare.dates == {"booked_at": ("month", "hour")}
    assert (spec.prepare.hash_buckets, spec.prepare.one_hot_levels) == (64, 100)
    assert ModelSpec.from_json(spec.canonical_json()) == spec
    assert parse_spec(GOOD.replace("age: median, income: mean", "income: mean, age: median")).digest == spec.digest


def test_a_stored_spec_with_the_words_of_a_newer_release_is_read() -> None:
    stored = parse_spec(GOOD).as_dict()
    stored["prepare"] |= {"encode": {"city": "embedding"}, "derive": {"rate": "tanh(amount)"}}
    assert ModelSpec.model_validate(stored).prepare.encode == {"city": "embedding"}
