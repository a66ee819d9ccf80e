"""The audit chain verifies as written, and any change breaks it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rondo.registry.audit.hash_chain import AuditEntry, AuditRecord, ChainHead, append, verify

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
EVIDENCE = st.dictionaries(st.text(), JSON, max_size=3)
START = datetime(2013, 1, 1, tzinfo=UTC)


def head(records: list[AuditRecord]) -> ChainHead:
    return ChainHead("late", len(records), records[-1].hash) if records else ChainHead("late")


def chain(evidences: list[dict[str, Any]]) -> list[AuditRecord]:
    records: list[AuditRecord] = []
    for number, evidence in enumerate(evidences, 1):
        at = START + timedelta(seconds=number)
        records.append(append("late", head(records), at, "registry", AuditEntry("promoted", evidence)))
    return records


@given(st.lists(EVIDENCE, max_size=5))
def test_a_chain_verifies_as_written(evidences: list[dict[str, Any]]) -> None:
    records = chain(evidences)
    found = verify(records, head(records))
    assert found.verified
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
def test_a_removed_record_shows(evidences: list[dict[str, Any]], data: st.DataObject) -> None:
    records = chain(evidences)
    end, length = head(records), len(records)
    index = data.draw(st.integers(0, length - 1))
    del records[index]
    assert verify(records, end).broken_at == index + 1


def test_a_rewritten_chain_shows_by_its_head() -> None:
    records, forged = chain([{"passed": False}]), chain([{"passed": True}])
    found = verify(forged, head(records))
    assert not found.verified
    assert "record 2 and all after it can't be trusted" in found.message


def test_a_rewritten_chain_with_its_own_head_shows_by_a_head_noted_elsewhere() -> None:
    """Its own head proves nothing, because it can be rewritten as well."""
    records, forged = chain([{"passed": False}, {"more": 1}]), chain([{"passed": True}, {"more": 1}])
    noted = head(records)
    assert verify(forged, head(forged)).verified
    assert forged[noted.length - 1].hash != noted.hash


def test_the_message_has_the_next_step() -> None:
    records = chain([{"a": 1}, {"a": 2}])
    records[0] = replace(records[0], evidence='{"a":3}')
    assert verify(records, head(records)).message == (
        "record 1 and all after it can't be trusted: its content was changed; "
        "compare with a backup, and find out who changed it"
    )
