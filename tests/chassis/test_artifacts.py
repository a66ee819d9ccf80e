"""An artifact that does not match its digest is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.chassis.artifacts import (
    ArtifactCorruptError,
    ArtifactMissingError,
    Artifacts,
    ArtifactUnreadableError,
    digest_of,
)
from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_stored_artifact_is_returned_and_storing_it_twice_stores_it_once(tmp_path: Path) -> None:
    artifacts = Artifacts(str(tmp_path))
    digest = await artifacts.put(b"model")
    assert digest == await artifacts.put(b"model") == digest_of(b"model")
    assert await artifacts.get(digest) == b"model"
    assert [f.name for f in tmp_path.rglob("*") if f.is_file()] == [digest.removeprefix("sha256:")]


async def test_a_damaged_artifact_is_refused(tmp_path: Path) -> None:
    artifacts = Artifacts(str(tmp_path))
    digest = await artifacts.put(b"model")
    (tmp_path / digest.replace(":", "/")).write_bytes(b"other")
    with pytest.raises(ArtifactCorruptError) as caught:
        await artifacts.get(digest)
    assert caught.value.code == "artifact_corrupt"
    assert (caught.value.digest, caught.value.found) == (digest, digest_of(b"other"))


@pytest.mark.parametrize("digest", [digest_of(b"never"), "../../etc/passwd", "sha256:..%2f", ""])
async def test_what_is_no_stored_digest_is_missing_and_never_a_path(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ArtifactMissingError) as caught:
        await Artifacts(str(tmp_path)).get(digest)
    assert (caught.value.code, caught.value.digest) == ("artifact_missing", digest)


async def test_a_store_that_can_not_be_written_is_unavailable_and_not_an_excuse_to_go_on(tmp_path: Path) -> None:
    artifacts = Artifacts(str(tmp_path))
    (tmp_path / "sha256").write_text("a file where the folder should be")
    with pytest.raises(UnavailableError) as caught:
        await artifacts.put(b"model")
    assert str(tmp_path) in caught.value.what


async def test_an_unreadable_artifact_is_not_reported_as_missing(tmp_path: Path) -> None:
    artifacts = Artifacts(str(tmp_path))
    digest = await artifacts.put(b"model")
    file = tmp_path / digest.replace(":", "/")
    file.unlink()
    file.symlink_to(file)  # no user can open it, not even root
    with pytest.raises(ArtifactUnreadableError) as found:
        await artifacts.get(digest)
    assert str(found.value) == (
        f"the artifact {digest} in {tmp_path} is not available (Generic LocalFileSystem error: Unable to open file "
        f"{file}: Too many levels of symbolic links (os error 40): see that this service may read there, and that the "
        "disk or bucket is sound); this will be tried again until it is"
    )
    assert isinstance(found.value, UnavailableError)


async def test_a_removed_artifact_is_gone_and_removing_it_again_changes_nothing(tmp_path: Path) -> None:
    artifacts = Artifacts(str(tmp_path))
    kept, digest = await artifacts.put(b"other"), await artifacts.put(b"model")
    assert await artifacts.has(digest)
    await artifacts.delete(digest)
    await artifacts.delete(digest)
    assert (await artifacts.has(digest), await artifacts.has(kept)) == (False, True)
    with pytest.raises(ArtifactMissingError):
        await artifacts.get(digest)
