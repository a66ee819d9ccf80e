"""An unchanged audit chain verifies, and any change breaks it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.registry.audit.hash_chain import (
    AuditEntry,
    AuditRecord,
    BrokenChainError,
    ChainHead,
    advance,
    append,
    require_end,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
EVIDENCE = st.dictionaries(st.text(), JSON, max_size=3)
START = datetime(2013, 1, 1, tzinfo=UTC)
EMPTY = ChainHead("late")


def head(records: list[AuditRecord]) -> ChainHead:
    return ChainHead("late", len(records), records[-1].hash) if records else EMPTY


def chain(evidences: list[dict[str, Any]]) -> list[AuditRecord]:
    records: list[AuditRecord] = []
    for number, evidence in enumerate(evidences, 1):
        at = START + timedelta(seconds=number)
        records.append(append(head(records), at, "registry", AuditEntry("promoted", evidence)))
    return records


def broken_at(records: list[AuditRecord], end: ChainHead) -> int | None:
    try:
        require_end(advance(EMPTY, records), end)
    except BrokenChainError as error:
        return error.number
    return None


@pytest.mark.medium
@given(st.lists(EVIDENCE, max_size=5), st.integers(0, 5))
def test_a_chain_verifies_as_written_in_one_go_or_in_two(evidences: list[dict[str, Any]], cut: int) -> None:
    records = chain(evidences)
    assert advance(EMPTY, records) == advance(advance(EMPTY, records[:cut]), records[cut:]) == head(records)
    assert [json.loads(record.evidence) for record in records] == evidences


@pytest.mark.medium
@given(st.lists(EVIDENCE, min_size=1, max_size=5), st.data())
def test_any_change_is_detected_at_its_record(evidences: list[dict[str, Any]], data: st.DataObject) -> None:
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
                {"chain": "other"},
            ]
        )
    )
    records[index] = replace(records[index], **changed)
    assert broken_at(records, end) == index + 1


@pytest.mark.medium
@given(st.lists(EVIDENCE, min_size=1, max_size=5), st.data())
def test_a_removed_record_is_detected(evidences: list[dict[str, Any]], data: st.DataObject) -> None:
    records = chain(evidences)
    end, length = head(records), len(records)
    index = data.draw(st.integers(0, length - 1))
    del records[index]
    assert broken_at(records, end) == index + 1


def test_a_rewritten_chain_is_detected_by_its_head() -> None:
    records, forged = chain([{"passed": False}]), chain([{"passed": True}])
    assert broken_at(forged, head(records)) == 2


def test_a_rewritten_chain_and_head_are_detected_by_a_head_kept_elsewhere() -> None:
    """The stored head proves nothing, because it can be rewritten as well."""
    records, forged = chain([{"passed": False}, {"more": 1}]), chain([{"passed": True}, {"more": 1}])
    noted = head(records)
    assert broken_at(forged, head(forged)) is None
    assert forged[noted.length - 1].hash != noted.hash


def test_the_first_record_that_cannot_be_trusted_is_named() -> None:
    records = chain([{"a": 1}, {"a": 2}])
    records[0] = replace(records[0], evidence='{"a":3}')
    with pytest.raises(BrokenChainError) as caught:
        advance(EMPTY, records)
    assert caught.value.number == 1
