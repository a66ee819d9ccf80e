"""Writes a proposal as YAML with comments."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from rondo.contracts.tasks.registry import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.client.spec_proposal.features import ProposedFeature
    from rondo.client.spec_proposal.proposal import Proposal

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# YAML 1.1 reads these words as other values, and editors and other tools may follow it.
_NOT_TEXTS = frozenset(("true", "false", "null", "yes", "no", "y", "n", "on", "off"))
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_LONGEST_COMMENT = 300


def as_yaml(proposal: Proposal) -> str:
    return "\n".join(_lines(proposal)) + "\n"


def _lines(proposal: Proposal) -> Iterator[str]:
    size = f"{proposal.facts.rows:,} rows, {proposal.columns:,} columns"
    yield f"# {_comment(f'Proposed by `rondo init` for {proposal.file} ({size}).')}"
    yield "# What stands in a comment is a guess to check. docs/spec.md describes every key."
    yield f"model: {proposal.model}"
    yield f"task: {proposal.label.task}  # {_comment(proposal.label.why)}"
    yield from _data(proposal)
    yield ""
    yield "features:"
    for feature in proposal.features:
        yield f"  {_scalar(feature.name)}: {_feature(feature)}{_after(*feature.notes)}"
    if proposal.left_out:
        yield "  # Left out:"
    for column in proposal.left_out:
        yield f"  #   {_comment(f'{column.name}: {column.reason}')}"
    if dated := [feature for feature in proposal.features if feature.dates]:
        yield ""
        yield "prepare:"
        yield "  dates:"
        yield from (f"    {_scalar(feature.name)}: [{', '.join(feature.dates)}]" for feature in dated)
    if proposal.min_rows is not None:
        yield ""
        yield f"trainer: {{min_rows: {proposal.min_rows}}}  # as the file is small; raise it when there is more data"
    yield ""
    yield "# Without gates a new version is promoted whatever its metrics are, for example:"
    yield f"# gates: {_gates(proposal)}"


def _gates(proposal: Proposal) -> str:
    label, task = proposal.roles.label.column, TASKS[proposal.label.task]
    metric, bound = task.metrics[task.primary], ""
    if metric.relative and label.low is not None and label.high is not None:
        # A tenth of the labels' range, as a first bound in the unit of the label.
        bound = f"max: {_rounded((label.high - label.low) / 10)}, "
    elif metric.higher_is_better:
        bound = "min: 0.6, "
    return f"{{{metric.name}: {{{bound}not_worse_than_champion: {0.05 if metric.relative else 0.03}}}}}"


def _rounded(number: float) -> str:
    return f"{float(f'{number:.2g}'):.12g}"


def _data(proposal: Proposal) -> Iterator[str]:
    roles, label = proposal.roles, proposal.label
    yield "data:"
    yield f"  dataset: {proposal.dataset}"
    for key, role in (("entity", roles.entity), ("event_time", roles.event_time), ("label", roles.label)):
        yield f"  {key}: {_scalar(role.column.name)}{_after(role.why)}"
        if key == "event_time" and proposal.time_zone is not None:
            yield f"  time_zone: {proposal.time_zone}  # the times have none: name that in which they were written"
    if label.positive is not None and label.negative is not None:
        yield f"  positive: {_scalar(label.positive)}{_after(label.positive_why)}"
        yield f"  negative: {_scalar(label.negative)}"
    yield "  # label_delay: 1d  # how long after its event time a label is known, at most"
    if proposal.max_bad_share is not None:
        yield f"  max_bad_share: {proposal.max_bad_share}  # so many rows have no valid label, entity or time"


def _feature(feature: ProposedFeature) -> str:
    parts = [f"type: {feature.type}", *(["optional: true"] if feature.optional else [])]
    limits = (("min", feature.min), ("max", feature.max))
    parts += [f"{key}: {limit:g}" for key, limit in limits if limit is not None]
    return f"{{{', '.join(parts)}}}"


def _after(*notes: str) -> str:
    found = "; ".join(note for note in notes if note)
    return f"  # {_comment(found)}" if found else ""


def _comment(text: str) -> str:
    """Return a text as one line that YAML accepts as a comment."""
    line = " ".join(_UNSAFE.sub(" ", text).split())
    return line if len(line) <= _LONGEST_COMMENT else f"{line[:_LONGEST_COMMENT]}…"


def _scalar(text: str) -> str:
    """Return a text that YAML parses as this text. JSON's quotes are valid in YAML."""
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXTS:
        return text
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
