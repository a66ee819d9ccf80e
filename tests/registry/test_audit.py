"""The audit chain: whole as written, and broken by any change of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rondo.registry.audit import GENESIS, Record, Statement, append, verify

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
EVIDENCE = st.dictionaries(st.text(), JSON, max_size=3)
START = datetime(2013, 1, 1, tzinfo=UTC)


def chain(evidences: list[dict[str, Any]]) -> list[Record]:
    records: list[Record] = []
    for number, evidence in enumerate(evidences, 1):
        previous = records[-1].hash if records else GENESIS
        at = START + timedelta(seconds=number)
        records.append(append("late", number, previous, at, "registry", Statement("promoted", evidence)))
    return records


@given(st.lists(EVIDENCE, max_size=5))
def test_a_chain_is_whole_as_written(evidences: list[dict[str, Any]]) -> None:
    records = chain(evidences)
    verdict = verify("late", records, records[-1].hash if records else GENESIS, len(records))
    assert verdict.verified
    assert [json.loads(record.evidence) for record in records] == evidences


@given(st.lists(EVIDENCE, min_size=1, max_size=5), st.data())
def test_any_change_shows_at_its_record(evidences: list[dict[str, Any]], data: st.DataObject) -> None:
    records = chain(evidences)
    head, length = records[-1].hash, len(records)
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
    assert verify("late", records, head, length).broken_at == index + 1


@given(st.lists(EVIDENCE, min_size=1, max_size=5), st.data())
def test_a_record_that_was_taken_out_shows(evidences: list[dict[str, Any]], data: st.DataObject) -> None:
    records = chain(evidences)
    head, length = records[-1].hash, len(records)
    index = data.draw(st.integers(0, length - 1))
    del records[index]
    assert verify("late", records, head, length).broken_at == index + 1


def test_a_rewritten_chain_shows_by_its_head() -> None:
    records, forged = chain([{"passed": False}]), chain([{"passed": True}])
    verdict = verify("late", forged, records[-1].hash, 1)
    assert not verdict.verified
    assert "record 2 can't be trusted" in verdict.message


def test_the_message_says_what_to_do() -> None:
    records = chain([{"a": 1}, {"a": 2}])
    records[0] = replace(records[0], evidence='{"a":3}')
    assert verify("late", records, records[-1].hash, 2).message == (
        "record 1 can't be trusted, nor any after it: its content is not what was written; "
        "compare with a backup, and find out who did it"
    )
