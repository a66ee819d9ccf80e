"""Messages that are no answers are refused before a lookup."""

from __future__ import annotations

import pyarrow as pa
import pytest
from rondo.contracts.events import scores
from rondo.ingestion.scoring.part_answer import InvalidAnswerError, PartAnswer

ABOUT = {"job": "5b7c0c5f0a3f4a51", "part": "2147483647", "model_version": "1", "digest": "sha256:" + "0" * 64,
         "first_row": "0"}  # fmt: skip


def message(about: dict[str, str]) -> bytes:
    return scores.encode(pa.RecordBatch.from_pylist([], schema=pa.schema([], metadata=about)))


def test_the_metadata_of_an_answer_is_read() -> None:
    about = PartAnswer.of(message(ABOUT | {"error": "version_refused", "message": "it is lost"})).about
    assert (about.part, about.error, about.attempt) == (2**31 - 1, "version_refused", "")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("part", "-1"),
        ("part", "2147483648"),
        ("part", "x"),
        ("job", "\0"),
        ("job", ""),
        ("digest", "x"),
        ("error", "\0"),
    ],
)
def test_values_that_the_store_can_not_hold_are_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidAnswerError):
        PartAnswer.of(message(ABOUT | {name: text}))


@pytest.mark.parametrize("name", ABOUT)
def test_metadata_that_lack_something_are_refused(name: str) -> None:
    with pytest.raises(InvalidAnswerError):
        PartAnswer.of(message({key: text for key, text in ABOUT.items() if key != name}))
