"""The audit chain: whole as written, and broken by any change of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rondo.registry.audit.hash_chain import Head, Record, Statement, append, verify

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
EVIDENCE = st.dictionaries(st.text(), JSON, max_size=3)
START = datetime(2013, 1, 1, tzinfo=UTC)


def head(records: list[Record]) -> Head:
    return Head("late", len(records), records[-1].hash) if records else Head("late")


def chain(evidences: list[dict[str, Any]]) -> list[Record]:
    records: list[Record] = []
    for number, evidence in enumerate(evidences, 1):
        at = START + timedelta(seconds=number)
        records.append(append("late", head(records), at, "registry", Statement("promoted", evidence)))
    return records


@given(st.lists(EVIDENCE, max_size=5))
def test_a_chain_is_whole_as_written(evidences: list[dict[str, Any]]) -> None:
    records = chain(evidences)
    verdict = verify(records, head(records))
    assert verdict.verified
    assert [json.loads(record.evidence) for record in records] == evidences


@given(st.lists(EVIDENCE, min_size=1, max_size=5), st.data())
def test_any_change_shows_at_its_record(evidences: list[dict[str, Any]], data: st.DataObject) -> None:
    records = chain(evidences)
    end, length = head(records), len(records)
    index = data.draw(st.integers(0, length - 1))
    changed: dict[str, Any] = data.draw(
        st.sampled_from(
            [
                {"evidence": records[index].evidence + " "},
                {"decided_by": "somebody else"},
                {"action": "rejected"},
                {"at": records[index].at + timedelta(microseconds=1)},
                {"hash": "f" * 64},
                {"previous_hash": "f" * 64},
                {"number": length + 7},
                {"model": "other"},
            ]
        )
    )
    records[index] = replace(records[index], **changed)
    assert verify(records, end).broken_at == index + 1


@given(st.lists(EVIDENCE, min_size=1, max_size=5), st.data())
def test_a_record_that_was_taken_out_shows(evidences: list[dict[str, Any]], data: st.DataObject) -> None:
    records = chain(evidences)
    end, length = head(records), len(records)
    index = data.draw(st.integers(0, length - 1))
    del records[index]
    assert verify(records, end).broken_at == index + 1


def test_a_rewritten_chain_shows_by_its_head() -> None:
    records, forged = chain([{"passed": False}]), chain([{"passed": True}])
    verdict = verify(forged, head(records))
    assert not verdict.verified
    assert "record 2 can't be trusted" in verdict.message


def test_a_chain_that_was_written_anew_shows_by_a_head_that_was_noted_elsewhere() -> None:
    """Its own head proves nothing then: it can be written anew, too."""
    records, forged = chain([{"passed": False}, {"more": 1}]), chain([{"passed": True}, {"more": 1}])
    noted = head(records)
    assert verify(forged, head(forged)).verified
    assert forged[noted.length - 1].hash != noted.hash


def test_the_message_says_what_to_do() -> None:
    records = chain([{"a": 1}, {"a": 2}])
    records[0] = replace(records[0], evidence='{"a":3}')
    assert verify(records, head(records)).message == (
        "record 1 can't be trusted, nor any after it: its content is not what was written; "
        "compare with a backup, and find out who did it"
    )
