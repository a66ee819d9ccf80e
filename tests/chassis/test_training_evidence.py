"""Evidence is read from the artifact store, or refused with the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.training_evidence import UnusableEvidenceError, load_evidence
from rondo.contracts.training_evidence import Evidence
from rondo.docgen.schemas import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

EVIDENCE = Evidence.model_validate(json.loads((EXAMPLES / "Evidence.v1.json").read_text()))


async def test_what_is_stored_is_read(tmp_path: Path) -> None:
    artifacts = Artifacts(str(tmp_path))
    assert await load_evidence(artifacts, await artifacts.put(EVIDENCE.encode())) == EVIDENCE


async def test_missing_damaged_and_other_content_is_unusable(tmp_path: Path) -> None:
    artifacts = Artifacts(str(tmp_path))
    damaged = await artifacts.put(EVIDENCE.encode())
    (tmp_path / damaged.replace(":", "/")).write_bytes(b"{}")
    other = await artifacts.put(b'{"candidate": {"metrics": {}}}')
    reasons = []
    for digest in (f"sha256:{'0' * 64}", damaged, other):
        with pytest.raises(UnusableEvidenceError) as caught:
            await load_evidence(artifacts, digest)
        assert (caught.value.code, caught.value.digest) == ("unusable_evidence", digest)
        reasons.append(caught.value.reason)
    assert len(set(reasons)) == 3
