"""The positions of models in a partition, encoded as the note that is committed with the offset of the partition.

All requests below the offset are answered, except requests to the models in the note from their positions on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Kafka's default for `offset.metadata.max.bytes`, the limit of a note.
MAX_NOTE_BYTES = 4_096


class _Note(msgspec.Struct, forbid_unknown_fields=True):
    waiting: dict[str, int]


_DECODE = msgspec.json.Decoder(_Note).decode


def encode_positions(positions: Mapping[str, int]) -> str:
    """Return the note. Empty if no model has a queue."""
    if not positions:
        return ""
    return msgspec.json.encode(_Note(dict(sorted(positions.items())))).decode()


def decode_positions(note: str) -> dict[str, int]:
    """Return the position of each model with a queue.

    Raises:
        UnavailableError: the text is not a note of this form, so the unanswered requests are not known.

    """
    if not note:
        return {}
    try:
        return _DECODE(note).waiting
    except msgspec.MsgspecError as error:
        raise UnavailableError(
            "the consumer group of the requests",
            f"the metadata of an offset is not what this release writes ({error}); use the release that wrote it",
        ) from error
