"""The partition of a message key. All producers of Rondo use the partitioner of Kafka's Java client."""

from __future__ import annotations

_MULTIPLIER, _SEED = 0x5BD1E995, 0x9747B28C
_WORD = 0xFFFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key by murmur2, as `org.apache.kafka.common.utils.Utils` computes it."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    """Return the hash of Appleby's MurmurHash2 (32 bits, little-endian) with the seed of Kafka."""
    found, whole = _SEED ^ len(data), len(data) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _MULTIPLIER & _WORD
        word = (word ^ word >> 24) * _MULTIPLIER & _WORD
        found = found * _MULTIPLIER & _WORD ^ word
    if rest := data[whole:]:
        found = (found ^ int.from_bytes(rest, "little")) * _MULTIPLIER & _WORD
    found = (found ^ found >> 13) * _MULTIPLIER & _WORD
    return found ^ found >> 15
