"""A control-plane message is read back as it was written, and a malformed one says what is wrong with it."""

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
    st.text(min_size=1, max_size=20),
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
    with pytest.raises(ValueError, match=r"has no offset: use datetime.now\(UTC\)"):
        Envelope("1", "s", datetime(2013, 5, 20), EVENT)  # noqa: DTZ001


MALFORMED = {
    "no headers": (
        {},
        WRITTEN.value(),
        (
            "the headers ce_id, ce_source, ce_type, ce_time are missing: this is no CloudEvent in binary mode; see "
            "docs/events/topics.md for the headers that every event has"
        ),
    ),
    "another type": (
        {**WRITTEN.headers(), "ce_type": "rondo.ModelPromoted.v1"},
        WRITTEN.value(),
        "the type is rondo.ModelPromoted.v1, and this topic carries rondo.ModelRetired.v1",
    ),
    "a later version": (
        {**WRITTEN.headers(), "ce_type": "rondo.ModelRetired.v2"},
        WRITTEN.value(),
        "the type is rondo.ModelRetired.v2, and this topic carries rondo.ModelRetired.v1",
    ),
    "no time": (
        {**WRITTEN.headers(), "ce_time": "yesterday"},
        WRITTEN.value(),
        "ce_time is 'yesterday', not an RFC 3339 time with an offset, such as 2013-03-01T05:15:00Z",
    ),
    "time without an offset": (
        {**WRITTEN.headers(), "ce_time": "2013-03-01T05:15:00"},
        WRITTEN.value(),
        "ce_time is '2013-03-01T05:15:00', not an RFC 3339 time with an offset, such as 2013-03-01T05:15:00Z",
    ),
    "time that no calendar has in UTC": (
        {**WRITTEN.headers(), "ce_time": "0001-01-01T00:00:00+14:00"},
        WRITTEN.value(),
        "ce_time is '0001-01-01T00:00:00+14:00', not an RFC 3339 time with an offset, such as 2013-03-01T05:15:00Z",
    ),
    "tombstone": (WRITTEN.headers(), None, "the message has no value: a ModelRetired is a JSON object"),
    "empty": (WRITTEN.headers(), b"", "the message has no value: a ModelRetired is a JSON object"),
    "not JSON": (
        WRITTEN.headers(),
        b"\xff\xfe",
        "the value is no ModelRetired: value: Invalid JSON: expected value at line 1 column 1",
    ),
    "a list": (WRITTEN.headers(), b"[]", "the value is no ModelRetired: value: Input should be an object"),
    "missing and wrong fields": (
        WRITTEN.headers(),
        b'{"model":"m","model_version":"one"}',
        (
            "the value is no ModelRetired: model_version: Input should be a valid integer, unable to parse string as "
            "an integer; digest: Field required"
        ),
    ),
}


@pytest.mark.parametrize(("headers", "value", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_malformed_says_so(headers: dict[str, str], value: bytes | None, message: str) -> None:
    with pytest.raises(MalformedEventError) as caught:
        read(ModelRetired, headers, value)
    assert str(caught.value) == message


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(value: bytes) -> None:
    with pytest.raises(MalformedEventError):
        read(ModelRetired, WRITTEN.headers(), value)


def test_a_bomb_of_brackets_is_refused() -> None:
    with pytest.raises(MalformedEventError, match="recursion limit"):
        read(ModelRetired, WRITTEN.headers(), b"[" * 100_000)
