"""A watch as bytes and back: figures as JSON, counts and waiting rows as Arrow IPC, compressed with zstd."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rondo.monitor.alarm import KINDS, Alarm
from rondo.monitor.performance import SCORE_BINS
from rondo.monitor.ports import Champion, SavedWatch
from rondo.monitor.sketch import Sketch
from rondo.monitor.watch import Watch
from rondo.monitor.windows import Tumbling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COUNTS = pa.list_(pa.int64())
_WINDOWS = pa.schema(
    [("version", pa.int64()), ("start", pa.int64()), ("rows", pa.int64()), ("counts", _COUNTS), ("labelled", _COUNTS)]
)
_HELD = pa.schema([("message", pa.binary())])
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


def freeze(watch: Watch, held: Sequence[bytes]) -> SavedWatch:
    """Return what has to be kept of a watch and of the messages that wait for its profile or spec."""
    figures = {
        "tumbling": asdict(watch.tumbling) if watch.tumbling else None,
        "champion": asdict(watch.champion) if watch.champion else None,
        "former": sorted(watch.former),
        "watermark": watch.watermark,
        "known": watch.known,
        "alarms": {kind: asdict(alarm) for kind, alarm in watch.alarms.items()},
        "counted": watch.counted,
    }
    messages = pa.table([pa.array(list(held), pa.binary())], schema=_HELD)
    return SavedWatch(
        figures, _write(_windows(watch)), _write(watch.predictions), _write(watch.outcomes), _write(messages)
    )


def thaw(model: str, saved: SavedWatch) -> tuple[Watch, list[bytes]]:
    """Return what `freeze` kept."""
    figures: Mapping[str, Any] = saved.figures
    watch = Watch(
        model,
        tumbling=Tumbling(**figures["tumbling"]) if figures["tumbling"] else None,
        champion=Champion(**figures["champion"]) if figures["champion"] else None,
        former=frozenset(figures["former"]),
        watermark=figures["watermark"],
        known=figures["known"],
        windows=_sketches(_read(saved.windows)),
        predictions=_read(saved.predictions),
        outcomes=_read(saved.outcomes),
        alarms={kind: Alarm(**figures["alarms"][kind]) for kind in KINDS},
        counted=dict(figures["counted"]),
    )
    return watch, _read(saved.held).column("message").to_pylist()


def _windows(watch: Watch) -> pa.Table:
    rows = [
        {"version": version, "start": start, "rows": s.rows, "counts": s.counts, "labelled": s.labelled.ravel()}
        for (version, start), s in watch.windows.items()
    ]
    return pa.Table.from_pylist(rows, schema=_WINDOWS)


def _sketches(table: pa.Table) -> dict[tuple[int, int], Sketch]:
    return {
        (row["version"], row["start"]): Sketch(
            row["rows"],
            np.array(row["counts"], np.int64),
            np.array(row["labelled"], np.int64).reshape(2, SCORE_BINS),
        )
        for row in table.to_pylist()
    }


def _write(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _read(content: bytes) -> pa.Table:
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()
