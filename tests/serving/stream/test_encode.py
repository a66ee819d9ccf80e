"""Answers are JSON of the contract, whatever the id."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.predictions import PredictionMade
from rondo.serving.stream.encode import encode

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64


@given(
    st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=256), min_size=1),
    st.floats(0, 1, width=32),
)
def test_answers_are_json_of_the_contract_whatever_the_id(ids: list[str], score: float) -> None:
    answers = encode("m", 3, DIGEST, ids, np.full(len(ids), score, "f4"), NOW)
    made = [PredictionMade.model_validate_json(answer) for answer in answers]
    assert [m.id for m in made] == ids
    assert {(m.model, m.model_version, m.digest, m.made_at) for m in made} == {("m", 3, DIGEST, NOW)}
    assert all(np.float32(m.output["score"]) == np.float32(score) for m in made)
