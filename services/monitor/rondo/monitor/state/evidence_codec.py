"""Encodes the evidence of a model for a checkpoint, and decodes it. Scores of ranks are computed again from means."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rondo.monitor.estimates.loss_bounds import LossBounds
from rondo.monitor.estimates.prediction_history import PredictionHistory
from rondo.monitor.evidence.block_figures.count_blocks import CountBlock, CountBlocks, OpenCountBlock
from rondo.monitor.evidence.block_figures.group_gaps import OpenGap, Pair
from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.component_sums import Component
from rondo.monitor.evidence.component_tests.watched import Taken, Watched
from rondo.monitor.evidence.model_evidence import ModelEvidence
from rondo.monitor.evidence.open_buckets import OpenBuckets
from rondo.monitor.evidence.staged_test import Change, EarlierChange, OpenBlock, StagedTest
from rondo.monitor.evidence.stretches import Learning, Stretches
from rondo.monitor.evidence.suspicion import ShortReference, Suspected, Suspicion
from rondo.monitor.evidence.version_evidence import VersionEvidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

# `what` is the class of a row, and `fields` is JSON. The arrays of a row are bytes.
_STORED = pa.schema(
    [("version", pa.int64()), ("what", pa.string()), ("fields", pa.string()), ("arrays", pa.list_(pa.binary()))]
)
Row = dict[str, Any]
# Fields of `VersionEvidence`. Each is in a row of its own.
_TIMES_BY_GROUP = ("judged_since", "due")
_BLOCKS = ("open count block", "count block", "open gap")


def encode_evidence(evidence: ModelEvidence) -> pa.Table:
    form = {"run_length": True} if evidence.run_length else {}
    rows = [_row(0, "model", {"late": evidence.late, **form})]
    for (version, start), count, counts in evidence.open:
        rows.append(_row(version, "bucket", {"start": start, "rows": count}, counts))
    for version, each in evidence.versions.items():
        rows += _version_rows(version, each)
    return pa.Table.from_pylist(rows, schema=_STORED)


def decode_evidence(table: pa.Table) -> ModelEvidence:
    evidence, open_buckets = ModelEvidence(), OpenBuckets()
    for row in table.to_pylist():
        version, what, fields, arrays = row["version"], row["what"], json.loads(row["fields"]), row["arrays"]
        if what == "model":
            evidence.late, evidence.run_length = fields["late"], fields.get("run_length", False)
        elif what == "bucket":
            start, rows = np.array([[fields["start"]], [fields["rows"]]], np.int64)
            open_buckets.add(version, start, rows, np.frombuffer(arrays[0], np.int64)[None])
        elif what == "version":
            evidence.versions[version] = VersionEvidence(
                [], None, {key: Taken(**each) for key, each in fields.items()}, run_length=evidence.run_length
            )
        elif what in _BLOCKS:
            _add_block(evidence.versions[version], what, fields, arrays)
        elif what == "loss bounds":
            evidence.versions[version].loss_bounds = LossBounds(**fields)
        elif what in _TIMES_BY_GROUP:
            setattr(evidence.versions[version], what, fields)
        elif what == "predicted":
            starts, counts = (np.frombuffer(each, np.int64) for each in arrays)
            evidence.versions[version].predicted = PredictionHistory(starts, counts.reshape(len(starts), -1))
        elif what in ("suspicion", "short reference"):
            decode = _suspicion if what == "suspicion" else _short_reference
            evidence.versions[version].suspicion = decode(fields, arrays)
        else:
            components = tuple(Component(**each) for each in fields.pop("components"))
            state = _staged(fields, arrays) if what == "test" else _learning(fields, arrays)
            evidence.versions[version].watched.append(Watched(components, state, fields.get("figure_rows", 0)))
    evidence.open = open_buckets
    return evidence


def _version_rows(version: int, evidence: VersionEvidence) -> Iterable[Row]:
    yield _row(version, "version", {key: asdict(taken) for key, taken in evidence.taken.items()})
    yield from _block_rows(version, evidence.blocks)
    for gap in evidence.gaps:
        yield _row(version, "open gap", asdict(gap) | {"pair": gap.pair})
    if evidence.loss_bounds is not None:
        yield _row(version, "loss bounds", asdict(evidence.loss_bounds))
    for what in _TIMES_BY_GROUP:
        if by_group := getattr(evidence, what):
            yield _row(version, what, dict(sorted(by_group.items())))
    if (predicted := evidence.predicted) is not None:
        yield _row(version, "predicted", {}, predicted.starts, predicted.counts)
    for each in evidence.watched:
        figures = {"figure_rows": each.figure_rows} if each.figure_rows else {}
        components: dict[str, object] = {"components": each.fields, **figures}
        if isinstance(each.state, StagedTest):
            yield _row(version, "test", components | _staged_fields(each.state), *_staged_arrays(each.state))
        else:
            fields, arrays = (
                _learning_fields(each.state),
                (each.state.stretches.means, each.state.open.sums, each.state.evidence),
            )
            yield _row(version, "learning", components | fields, *arrays)
    suspicion = evidence.suspicion
    if isinstance(suspicion, ShortReference):
        losses = suspicion.stretches.means, suspicion.open.sums
        yield _row(version, "short reference", _short_fields(suspicion), *losses)
    elif suspicion:
        blocks = np.array([suspicion.starts, suspicion.counts], np.int64)
        stored = *_test_arrays(suspicion.test), blocks, suspicion.open.sums
        yield _row(version, "suspicion", _suspicion_fields(suspicion), *stored)


def _block_rows(version: int, blocks: CountBlocks) -> Iterable[Row]:
    for open_ in blocks.open:
        fields = {"columns": open_.columns, "block": open_.block, "start": open_.start, "rows": open_.rows}
        yield _row(version, "open count block", fields, open_.counts)
    for each in blocks.complete:
        fields = {"columns": each.columns, "block": each.block, "start": each.start, "end": each.end}
        yield _row(version, "count block", fields, each.counts)


def _open_gap(fields: Mapping[str, Any]) -> OpenGap:
    column, first, second, values = fields["pair"]
    pair, sums = Pair(column, first, second, tuple(values)), fields["sums"]
    found = None if sums is None else (tuple(sums[0]), tuple(sums[1]))
    return OpenGap(pair, fields["block"], tuple(fields["rates"]), fields["start"], tuple(fields["rows"]), found)


def _add_block(evidence: VersionEvidence, what: str, fields: Mapping[str, Any], arrays: list[bytes]) -> None:
    if what == "open gap":
        evidence.gaps += (_open_gap(fields),)
        return
    columns, counts = tuple(fields["columns"]), np.frombuffer(arrays[0], np.int64)
    if what == "count block":
        block = CountBlock(columns, fields["block"], fields["start"], fields["end"], counts)
        evidence.blocks.complete.append(block)
    else:
        open_ = OpenCountBlock(columns, fields["block"], counts, fields["start"], fields["rows"])
        evidence.blocks.open.append(open_)


def _learning_fields(learning: Learning) -> dict[str, object]:
    return {
        "seed": learning.seed, "one_sided": learning.one_sided, "stretch": learning.stretches.rows,
        "autocorrelation_rows": learning.stretches.autocorrelation_rows,
        "row_range": _row_range(learning.stretches),
        "tried": learning.tried, "block": learning.block, "live": learning.live,
        "open": [learning.open.start, learning.open.rows], "stage": learning.stage, "end": learning.end,
        "earlier": _earlier_fields(learning.earlier), **({"run_length": True} if learning.run_length else {}),
    }  # fmt: skip


def _row_range(stretches: Stretches) -> list[float]:
    found: list[float] = np.broadcast_to(stretches.row_range, len(stretches.means)).tolist()
    return found


def _suspicion_fields(suspicion: Suspicion) -> dict[str, object]:
    return {
        "seed": suspicion.seed, "block": suspicion.block, "number": suspicion.number,
        "found": asdict(suspicion.found) if suspicion.found else None,
        "open": [suspicion.open.start, suspicion.open.rows], "test": _test_fields(suspicion.test),
    }  # fmt: skip


def _short_fields(short: ShortReference) -> dict[str, object]:
    return {
        "seed": short.seed, "stretch": short.stretches.rows,
        "autocorrelation_rows": short.stretches.autocorrelation_rows, "row_range": _row_range(short.stretches),
        "open": [short.open.start, short.open.rows],
    }  # fmt: skip


def _row(version: int, what: str, fields: Mapping[str, object], *arrays: NDArray[Any]) -> Row:
    content = [array.tobytes() for array in arrays]
    return {"version": version, "what": what, "fields": json.dumps(fields), "arrays": content}


def _test_fields(test: BlockTest) -> dict[str, object]:
    return {
        "seed": test.seed, "one_sided": test.one_sided, "reference": test.reference, "components": len(test.means),
        "resolution": test.resolution.tolist(), **({"run_length": True} if test.run_length else {}),
    }  # fmt: skip


def _test_arrays(test: BlockTest) -> tuple[NDArray[Any], NDArray[Any]]:
    return test.means, test.normal


def _test(fields: Mapping[str, Any], means: bytes, normal: bytes) -> BlockTest:
    stored = np.frombuffer(means, np.float64).reshape(fields["components"], -1)
    reference, live = stored[:, : fields["reference"]], stored[:, fields["reference"] :]
    flags = np.frombuffer(normal, np.bool_)
    # An earlier release ranked the means without a random part, and stored no resolution.
    resolution = np.array(fields.get("resolution", 0.0))
    form = {"one_sided": fields["one_sided"], "run_length": fields.get("run_length", False)}
    before = BlockTest.of(fields["seed"], reference, flags, **form, resolution=resolution)
    return before.with_blocks(live)


def _staged_fields(test: StagedTest) -> dict[str, object]:
    return {
        "test": _test_fields(test.test), "block": test.block, "stage": test.stage, "end": test.end, "rows": test.rows,
        "open": [test.open.start, test.open.rows], "earlier": _earlier_fields(test.earlier),
    }  # fmt: skip


def _earlier_fields(earlier: Mapping[int, EarlierChange]) -> list[tuple[int, dict[str, Any]]]:
    return [(component, asdict(each)) for component, each in earlier.items()]


def _earlier(fields: list[tuple[int, dict[str, Any]]]) -> dict[int, EarlierChange]:
    return {at: EarlierChange(**{**each, "change": Change(**each["change"])}) for at, each in fields}


def _staged_arrays(test: StagedTest) -> tuple[NDArray[Any], ...]:
    blocks = np.array([test.starts, test.counts], np.int64)
    return *_test_arrays(test.test), blocks, test.open.sums, test.evidence


def _staged(fields: Mapping[str, Any], arrays: list[bytes]) -> StagedTest:
    means, normal, blocks, sums, evidence = arrays
    starts, counts = np.frombuffer(blocks, np.int64).reshape(2, -1).tolist()
    found = StagedTest(
        _test(fields["test"], means, normal), fields["block"], fields["stage"], starts, counts, fields["end"],
        fields["rows"], _earlier(fields["earlier"]),
    )  # fmt: skip
    found.open = _open(fields["open"], sums)
    found.evidence = np.frombuffer(evidence, np.float64).copy()
    return found


def _learning(fields: Mapping[str, Any], arrays: list[bytes]) -> Learning:
    means, sums, evidence = arrays
    found_sums = np.frombuffer(sums, np.float64)
    values, row_range = np.frombuffer(means, np.float64), np.array(fields.get("row_range", 0.0))
    within = values.reshape(found_sums.size, -1)
    stretches = Stretches(fields["stretch"], fields["autocorrelation_rows"], within, row_range)
    found = Learning(
        fields["seed"], fields["one_sided"], stretches, fields["tried"], fields["block"], fields["live"],
        fields["stage"], fields["end"], fields.get("run_length", False), _earlier(fields["earlier"]),
    )  # fmt: skip
    found.open = _open(fields["open"], sums)
    found.evidence = np.frombuffer(evidence, np.float64).copy()
    return found


def _suspicion(fields: Mapping[str, Any], arrays: list[bytes]) -> Suspicion:
    means, normal, blocks, sums = arrays
    starts, counts = np.frombuffer(blocks, np.int64).reshape(2, -1).tolist()
    return Suspicion(
        fields["seed"], fields["block"], _test(fields["test"], means, normal),
        starts, counts, fields["number"],
        Suspected(**fields["found"]) if fields["found"] else None, _open(fields["open"], sums),
    )  # fmt: skip


def _short_reference(fields: Mapping[str, Any], arrays: list[bytes]) -> ShortReference:
    means, sums = arrays
    losses, row_range = np.frombuffer(means, np.float64).reshape(1, -1), np.array(fields.get("row_range", 0.0))
    stretches = Stretches(fields["stretch"], fields["autocorrelation_rows"], losses, row_range)
    return ShortReference(fields["seed"], stretches, _open(fields["open"], sums))


def _open(fields: list[int], sums: bytes) -> OpenBlock:
    return OpenBlock(fields[0], fields[1], np.frombuffer(sums, np.float64).copy())
