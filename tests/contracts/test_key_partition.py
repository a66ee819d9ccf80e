"""Partitions of keys, against the client library that the control plane uses."""

from __future__ import annotations

from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.key_partition import partition_of

BYTES = st.binary(max_size=40)


@given(BYTES, st.integers(1, 100))
def test_a_key_goes_where_the_client_of_the_control_plane_sends_it(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions


@given(BYTES, st.integers(1, 12), st.integers(1, 5))
def test_a_multiple_of_the_partitions_divides_each_of_them(key: bytes, partitions: int, times: int) -> None:
    assert partition_of(key, partitions * times) % partitions == partition_of(key, partitions)
