"""Control plane messages round trip. Malformed ones have a code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.cloudevents import Envelope, MalformedEventError, read
from rondo.contracts.events.models import ModelRetired

EVENT = ModelRetired(model="flight-delay", model_version=1, digest="sha256:" + "0" * 64)
WRITTEN = Envelope("7f0c", "rondo/registry", datetime(2013, 5, 20, 12, tzinfo=UTC), EVENT)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
    st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2199, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.none() | st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
)
def test_what_is_written_reads_back(event_id: str, time: datetime, trace: str | None) -> None:
    envelope = Envelope(event_id, "rondo/registry", time, EVENT, trace)
    assert read(ModelRetired, envelope.headers(), envelope.value()) == envelope


def test_the_headers_are_those_of_the_kafka_binding() -> None:
    assert WRITTEN.headers() == {
        "ce_specversion": "1.0",
        "ce_id": "7f0c",
        "ce_source": "rondo/registry",
        "ce_type": "rondo.ModelRetired.v1",
        "ce_subject": "flight-delay",
        "ce_time": "2013-05-20T12:00:00+00:00",
        "content-type": "application/json",
    }


def test_a_time_is_written_in_utc() -> None:
    local = Envelope("1", "s", datetime(2013, 5, 20, 7, tzinfo=timezone(timedelta(hours=-5))), EVENT)
    assert local.headers()["ce_time"] == WRITTEN.headers()["ce_time"]


def test_a_time_without_an_offset_is_not_written() -> None:
    with pytest.raises(ValueError, match="offset"):
        Envelope("1", "s", datetime(2013, 5, 20), EVENT)  # noqa: DTZ001


HEADERS, VALUE = WRITTEN.headers(), WRITTEN.value()
MALFORMED: dict[str, tuple[dict[str, str], bytes | None, str, str]] = {
    "no headers": ({}, VALUE, "missing_headers", "ce_id, ce_source, ce_type, ce_time"),
    "an empty id": ({**HEADERS, "ce_id": ""}, VALUE, "missing_headers", "ce_id"),
    "an id with NUL": ({**HEADERS, "ce_id": "a\x00"}, VALUE, "unstorable_header", "ce_id"),
    "another type": ({**HEADERS, "ce_type": "rondo.ModelPromoted.v1"}, VALUE, "wrong_type", "rondo.ModelRetired.v1"),
    "a later version": ({**HEADERS, "ce_type": "rondo.ModelRetired.v2"}, VALUE, "wrong_type", "rondo.ModelRetired.v1"),
    "no time": ({**HEADERS, "ce_time": "yesterday"}, VALUE, "invalid_time", "yesterday"),
    "time without an offset": ({**HEADERS, "ce_time": "2013-03-01T05:15:00"}, VALUE, "invalid_time", "offset"),
    "time outside the calendar": ({**HEADERS, "ce_time": "0001-01-01T00:00:00+14:00"}, VALUE, "invalid_time", "0001"),
    "tombstone": (HEADERS, None, "no_value", "ModelRetired"),
    "empty": (HEADERS, b"", "no_value", "ModelRetired"),
    "not JSON": (HEADERS, b"\xff\xfe", "invalid_value", "value: "),
    "a list": (HEADERS, b"[]", "invalid_value", "value: "),
    "a missing field": (HEADERS, b'{"model":"m","model_version":1}', "invalid_value", "digest: "),
    "a wrong field": (HEADERS, b'{"model":"m","model_version":"one"}', "invalid_value", "model_version: "),
}


@pytest.mark.parametrize(("headers", "value", "code", "fact"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_message_has_a_code(headers: dict[str, str], value: bytes | None, code: str, fact: str) -> None:
    with pytest.raises(MalformedEventError) as caught:
        read(ModelRetired, headers, value)
    assert (caught.value.code, fact in str(caught.value)) == (code, True)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(value: bytes) -> None:
    with pytest.raises(MalformedEventError):
        read(ModelRetired, WRITTEN.headers(), value)


def test_a_bomb_of_brackets_is_refused() -> None:
    with pytest.raises(MalformedEventError) as caught:
        read(ModelRetired, WRITTEN.headers(), b"[" * 100_000)
    assert caught.value.code == "invalid_value"
